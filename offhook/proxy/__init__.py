"""What leads unchanged programs here: a proxy on loopback that stands for the platform's hosts."""
