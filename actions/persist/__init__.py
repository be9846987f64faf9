"""Changes kept over a reboot: which would be lost, and the files and the unit that bring them back."""
