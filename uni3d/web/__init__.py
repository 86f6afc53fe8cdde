"""The local page and its HTTP API over `uni3d.run.run`; needs the extra `app`."""
