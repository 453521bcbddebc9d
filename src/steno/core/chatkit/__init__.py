"""The chatkit family: sessions as bare objects."""
