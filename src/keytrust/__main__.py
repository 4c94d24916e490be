"""``python -m keytrust``"""

from keytrust.cli.main import main

main()
