"""Measurements of a running Offhook, over real SIP and RTP. `python -m bench --help`."""
