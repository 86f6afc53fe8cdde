"""The local page and its HTTP API over `uni3d.pipeline`; needs the extra `app`."""
