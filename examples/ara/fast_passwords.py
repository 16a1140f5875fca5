"""ARA's settings with a cheaper password hash.

With HTTP basic authentication Django hashes the password anew on every call: a million rounds, most of a run's time.
Its manual gives this hasher for tests. Nothing else about the authentication changes: each call is still checked
against the user in the database, by both versions.
"""

from ara.server.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
