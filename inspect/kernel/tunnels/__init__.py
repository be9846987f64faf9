"""What is at the other end of tunnels: WireGuard's peers, and the programs that hold TUN and TAP devices."""
