"""One screen per mode, and the dialogs over them."""
