from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from pyasn1.codec.der import decoder

from keytrust.lab import certificates
from keytrust.pki.kerberos import krbtgt_principal


def test_the_controllers_certificate_fits_tls_and_pkinit() -> None:
    authority, controller = certificates.make("CORP.EXAMPLE", "dc1.corp.example")
    ca = x509.load_pem_x509_certificate(authority.certificate)
    certificate = x509.load_pem_x509_certificate(controller.certificate)
    certificate.verify_directly_issued_by(ca)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["dc1.corp.example", "corp.example"]
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert ExtendedKeyUsageOID.KERBEROS_PKINIT_KDC in purposes
    assert ExtendedKeyUsageOID.SERVER_AUTH in purposes
    key = load_pem_private_key(controller.key, None)
    assert key.public_key() == certificate.public_key()


def test_the_principal_in_it_is_the_ticket_granting_service() -> None:
    realm = "A" * 100 + ".EXAMPLE"  # long enough for the long form of a length
    principal, rest = decoder.decode(krbtgt_principal(realm))
    assert rest == b""
    assert str(principal[0]) == realm
    assert int(principal[1][0]) == 2
    assert [str(part) for part in principal[1][1]] == ["krbtgt", realm]


def test_a_private_key_is_not_in_the_repr() -> None:
    assert repr(certificates.Pair(b"public", b"private")) == "Pair(…)"
