"""What every finding means and what to do about it, by its stable id."""

from __future__ import annotations

from typing import NamedTuple

from keytrust.audit.model import Code, Severity

_PLANTED = (
    "Whoever holds the private half can sign in as this account, without its password and past every password change."
)
_INVESTIGATE = (
    "Treat it as a shadow credential until explained: look for event 5136 (directory change) on the attribute and for "
    "sign-ins by certificate (4768), then name it to keytrust audit --fix --remove; the journal keeps it for undo."
)


class Entry(NamedTuple):
    """One kind of finding.

    Attributes:
        title: A few words.
        severity: Where nothing makes it better or worse.
        meaning: What it means for the domain.
        remedy: What to do.
    """

    title: str
    severity: Severity
    meaning: str
    remedy: str


C, H, M, L, I = Severity  # noqa: E741 - the five severities by their initials, for the table below

CATALOGUE: dict[Code, Entry] = {
    Code.NOT_REGISTERED: Entry("Key is not registered", H, _PLANTED + " Nobody registered it.", _INVESTIGATE),
    Code.NO_CLOUD_USER: Entry(
        "Account is not in the cloud",
        H,
        _PLANTED + " The account has no user in the cloud, so no device can have registered the key there.",
        _INVESTIGATE + " If the list of registered keys was not complete, run the audit with a complete one.",
    ),
    Code.REGISTRATION_UNKNOWN: Entry(
        "Registration could not be checked",
        I,
        "Whether this key is registered is not known: the cloud did not tell this user's keys, or it is not certain "
        "which cloud user the account belongs to.",
        "Resolve what the evidence names and run the audit again.",
    ),
    Code.SHARED_KEY: Entry(
        "The same key on several accounts",
        H,
        "One private key signs in as each of these accounts. Windows Hello makes a key for one user on one device.",
        "Find out which account the device belongs to, and remove the key from the others.",
    ),
    Code.DISGUISED: Entry(
        "Value that shows two things",
        H,
        "It shows one thing to who checks it and may show another to a domain controller: an entry is there more "
        "than once, or it calls itself a security key and holds an ordinary one. No Windows component writes this.",
        _INVESTIGATE,
    ),
    Code.DEVICE_TWICE: Entry(
        "Several keys of one device",
        M,
        "Keys that the cloud does not know pass because their device is registered with Active Directory. A device has "
        "one Windows Hello key for a user, so only one of these can be genuine; another may have borrowed its id.",
        "Ask the user to set up Windows Hello anew on the device, and remove the other keys of it.",
    ),
    Code.DUPLICATE_KEY: Entry(
        "The same key twice on one account",
        L,
        "One of the two values is superfluous; a tool wrote the key without looking.",
        "Remove one of the two.",
    ),
    Code.DUPLICATE_KEY_ID: Entry(
        "Two keys under one KeyID",
        H,
        "Two different keys claim the same KeyID. A reader that trusts the KeyID takes one for the other.",
        "Remove the value whose KeyID is not the SHA-256 of its key material.",
    ),
    Code.ROCA: Entry(
        "ROCA-weak key",
        C,
        "The private key can be computed from the public one (CVE-2017-15361): anybody who can read the directory can "
        "sign in as this account.",
        "Update the TPM firmware of the device, have the user register again, and revoke this key where it is "
        "registered.",
    ),
    Code.WEAK_RSA: Entry(
        "Weak or malformed RSA key",
        H,
        "The key is shorter than 2048 bits or not an honest RSA key; its private half may be computable.",
        "Have the user register again and revoke this key. Windows Hello does not make such keys: ask who did.",
    ),
    Code.UNREADABLE_VALUE: Entry(
        "Unreadable value",
        M,
        "The value is not a key credential. It signs nobody in, but something with write access put it there.",
        "Find out what wrote it (replication metadata of the attribute); remove it when nothing needs it.",
    ),
    Code.UNREADABLE_MATERIAL: Entry(
        "Unreadable key material",
        M,
        "The key itself cannot be read, so its strength is not known; a domain controller will most likely ignore it.",
        "Have the user register again, then remove the value.",
    ),
    Code.KEY_ID_MISMATCH: Entry(
        "KeyID does not match the key",
        H,
        "The KeyID is not the SHA-256 of the key material: the value was altered, or made to pass for another key.",
        _INVESTIGATE,
    ),
    Code.TOOL_MARK: Entry(
        "Mark of a planting tool",
        H,
        "The value has a mistake that published shadow-credential tools make and no legitimate writer does. "
        + _PLANTED,
        _INVESTIGATE,
    ),
    Code.KEY_HASH_MISMATCH: Entry(
        "KeyHash does not match the value",
        M,
        "The checksum over the value is wrong: it was altered after it was made, or badly made by a tool.",
        "Compare the value with the registered key; remove it when it is not registered.",
    ),
    Code.ODD_STRUCTURE: Entry(
        "Odd structure",
        L,
        "The value is readable but not as the specification has it; other readers may reject it.",
        "Find out what wrote it. Have the user register again when sign-in fails.",
    ),
    Code.ODD_TIME: Entry(
        "Impossible time",
        I,
        "The value carries a time that cannot be true, so its age is not known.",
        "Nothing, unless the tool that wrote it is yours.",
    ),
    Code.OWNER_MISMATCH: Entry(
        "Value names another object",
        M,
        "The DN in the value is not the object that holds it: the value was copied from another account or made by "
        "hand.",
        "Look at both accounts; remove the value unless its key is registered to this one.",
    ),
    Code.NO_DEVICE: Entry(
        "Orphaned: no such device",
        M,
        "The device that made the key no longer exists, or never did. Planting tools invent device ids.",
        "When the device was retired, revoke the key where it is registered; otherwise treat it as planted.",
    ),
    Code.DEVICE_DISABLED: Entry(
        "Orphaned: device is disabled",
        M,
        "The device is disabled, but its key still signs in: domain controllers do not look at devices.",
        "Revoke the key where it is registered.",
    ),
    Code.OTHERS_DEVICE: Entry(
        "Device of another user",
        H,
        "The device belongs to somebody else: the key was planted from there, or the device was handed on.",
        "Ask both users. Revoke the key, and have the present owner register again.",
    ),
    Code.STALE_KEY: Entry(
        "Stale key",
        L,
        "The key is very old or has long not been used. Unused keys are only of use to attackers.",
        "Revoke it where it is registered; the user registers again when it is needed.",
    ),
    Code.DISABLED_ACCOUNT: Entry(
        "Key on a disabled account",
        L,
        "The key signs in as soon as the account is enabled again.",
        "Revoke the keys of people who have left.",
    ),
    Code.EXPIRED_ACCOUNT: Entry(
        "Key on an expired account",
        L,
        "The key signs in as soon as the account's expiry is moved.",
        "Revoke the keys of people who have left.",
    ),
    Code.UNUSED_ACCOUNT: Entry(
        "Key on an unused account",
        L,
        "Nobody has signed in to the account for long, yet a key could.",
        "Revoke the key, or disable the account.",
    ),
    Code.PRIVILEGED_ACCOUNT: Entry(
        "Key on a privileged account",
        M,
        "A key on an administrator's account is worth planting. Windows Hello is meant for everyday accounts.",
        "Confirm it with the person. Keep Windows Hello off administrators' accounts, or list them as an exception.",
    ),
    Code.COMPUTER_SEVERAL_KEYS: Entry(
        "Computer with several keys",
        M,
        "A computer has one key of its own; a further one lets its holder act as the computer and as anybody on it.",
        "Remove all; the computer registers its own again at its next start.",
    ),
    Code.COMPUTER_USER_KEY: Entry(
        "Computer with a user-style key",
        H,
        "Computers write their own key in a form of its own; this one looks like a user's, as planting tools make it.",
        _INVESTIGATE,
    ),
    Code.UNEXPECTED_USAGE: Entry(
        "Unexpected key usage",
        M,
        "Keys of this usage do not belong on such an account.",
        "Find out what wrote it; remove it when nothing needs it.",
    ),
    Code.MANY_KEYS: Entry(
        "Implausibly many keys",
        L,
        "Each device makes one key. Many keys mean devices that come and go without clean-up, or keys planted among "
        "them.",
        "Compare with the user's devices and revoke the rest.",
    ),
    Code.REJECTED_BY_CONTROLLER: Entry(
        "Ignored by domain controllers",
        L,
        "The value is in a form that this domain's domain controllers do not accept, so the key does not sign in.",
        'Let keytrust write it (dialect = "auto"), after removing this value.',
    ),
    Code.REGISTERED_MISSING: Entry(
        "Registered key is missing",
        L,
        "The key is registered but not in the directory: the user cannot sign in with it.",
        "keytrust plan shows why; keytrust sync writes it.",
    ),
    Code.PARTIAL_VALUES: Entry(
        "Only part of the values is known",
        M,
        "The dump holds a range of the account's values only; the rest was not audited.",
        "Dump it again with a tool that reads ranges to their end, or audit the live directory.",
    ),
    Code.DAMAGED_RECORD: Entry(
        "Damaged record",
        M,
        "A record of the dump cannot be read; what it held was not audited.",
        "Dump it again.",
    ),
    Code.BROAD_WRITER: Entry(
        "Everybody may plant a key",
        C,
        "A group that everybody is in may write msDS-KeyCredentialLink: any user can sign in as these accounts.",
        "Remove the permission named in the evidence.",
    ),
    Code.UNEXPECTED_WRITER: Entry(
        "Unexpected writer of keys",
        H,
        "This principal may write msDS-KeyCredentialLink and so sign in as these accounts.",
        "Remove the permission when it is not needed for exactly this; otherwise accept it in the baseline.",
    ),
    Code.ADPREP_DEFECT: Entry(
        "Key Admins have more than they need",
        M,
        "Early versions of adprep gave Enterprise Key Admins full control instead of the one attribute.",
        "Replace the permission by Read and Write msDS-KeyCredentialLink.",
    ),
    Code.UNREADABLE_DESCRIPTOR: Entry(
        "Security descriptor cannot be read",
        M,
        "Who may write to these accounts is not known.",
        "Read it again with an account that may read permissions.",
    ),
}
