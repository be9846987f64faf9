"""Changes as typed data: their commands, their effect on a snapshot, their inverse."""
