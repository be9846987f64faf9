"""What rules and routes decide over containers' packets: each is asked with a packet that meets it."""
