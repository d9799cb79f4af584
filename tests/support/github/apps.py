"""A GitHub App's key, made when it is asked for."""

from __future__ import annotations

from typing import Any


class AppKey:
    def __init__(self) -> None:
        self._key: Any = None

    def _made(self) -> Any:
        if self._key is None:
            from cryptography.hazmat.primitives.asymmetric import rsa

            self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return self._key

    def private(self) -> str:
        from cryptography.hazmat.primitives import serialization

        pem: bytes = self._made().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        return pem.decode()

    def proves(self, token: str, app: int, now: float) -> bool:
        """Whether it was signed with the key, for the App, and holds now and for ten minutes at most."""
        import jwt

        try:
            claims = jwt.decode(
                token, self._made().public_key(), algorithms=["RS256"],
                options={"verify_exp": False, "verify_iat": False, "verify_iss": False},
            )  # fmt: skip
        except jwt.PyJWTError:
            return False
        right = str(claims.get("iss")) == str(app)
        return right and claims["iat"] <= now + 60 and now < claims["exp"] <= now + 660
