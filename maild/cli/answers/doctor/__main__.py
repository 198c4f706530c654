"""`python -m maild.cli.answers.doctor` prints the table of checks as docs/doctor.md has it."""

import sys

from maild.cli.answers import doctor

sys.stdout.write(doctor.table())
