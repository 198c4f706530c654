"""What goes over the network: loopback only, real peers."""
