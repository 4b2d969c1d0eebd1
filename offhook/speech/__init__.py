"""Text to sound, and strangers' sound files to ours; native code, so in processes of its own."""
