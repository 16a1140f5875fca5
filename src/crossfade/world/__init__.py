"""What touches the outside: processes, databases, sockets, files. Everything started here is stopped here."""
