"""A network in a framework that nobody has."""

import a_framework_nobody_has


class Network(a_framework_nobody_has.Network):
    pass
