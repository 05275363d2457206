"""Two APIs on loopback that behave as RunPod's and Vast's describe themselves, and machines with a real sshd."""
