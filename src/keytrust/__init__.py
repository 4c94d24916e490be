"""Windows Hello for Business key trust for Active Directory, without Entra Connect."""

__version__ = "0.1.0"
