"""What breaks a program: kills, disks, damage and hostile files, each tried many times, and what is left of it."""
