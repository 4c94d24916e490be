"""What several tests share: worlds made of accounts and cloud users, and a directory in memory."""
