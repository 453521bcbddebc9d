"""The chatkit family: sessions as bare objects, with no events of their own yet."""
