"""The live family: sessions that are spoken all the time, without turns, and the work that they delegate."""
