"""What an administrator settled for a host, and what it means beside a command's options."""
