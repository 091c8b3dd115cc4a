"""The words the invented fleet is made of: clients, sites, people, machines."""

_LONG_NAME = (
    "Vereinigte Ostfriesische Werkstätten für Holz-, Metall- und Kunststoffverarbeitung"
    " sowie Instandhaltung Landwirtschaftlicher Geräte eG (Niederlassung Nord)"
)
# The first clients of every fleet: quotes, ampersand, umlauts, scripts, a very long name, a twin by normal
# form.
FIRST_CLIENTS = (
    "Northwind Bakery",
    "Hagen & Töchter GmbH",
    'O\'Malley "Quick" Plumbing & Sons',
    "株式会社さくら",
    _LONG_NAME,
    "Fjord Dental",
    "Ångström Optik AB",
    "Café Zoë / Naïve",
)
EMPTY_CLIENT = "Zz No Machines Yet"

CLIENT_HEADS = (
    "Alder", "Basalt", "Copper", "Delta", "Ember", "Falcon", "Granite", "Harbor", "Iris", "Juniper",
    "Kestrel",
    "Lantern", "Meadow", "Nimbus", "Orchard", "Pioneer", "Quartz", "River", "Summit", "Tundra", "Umber",
    "Violet",
    "Willow", "Zephyr",
)  # fmt: skip
CLIENT_TAILS = (
    "Accounting", "Architects", "Brewery", "Clinic", "Construction", "Design", "Engineering", "Foods",
    "Freight",
    "Gardens", "Insurance", "Law", "Logistics", "Media", "Motors", "Pharmacy", "Print", "School", "Textiles",
    "Tools",
)  # fmt: skip
CLIENT_FORMS = ("Ltd", "GmbH", "Inc.", "& Co", "LLC", "AG", "SARL")

# The first name is given to one site of nearly every client: equal names under different clients are normal.
SITES = (
    "Main Office",
    "Warehouse",
    "Branch",
    "Zürich 東京",
    "Home & Remote",
    "Werk Süd",
    "Shop #2",
    "DC (colo)",
)

PEOPLE = (
    "anna",
    "b.okafor",
    "CORP\\chen.li",
    "d.ørsted",
    "elif",
    "Frank Müller",
    "g.rossi",
    "hana",
    "Administrator",
)

DESCRIPTIONS: tuple[str | None, ...] = (
    None,
    None,
    "",
    "Reception",
    'Kiosk "front"',
    "Büro Geschäftsführung",
    "do not reboot <before 18:00>",
    "100% spare & test",
)

SERVER_HOSTS = ("DC", "FS", "SQL", "APP", "RDS", "HV", "MAIL", "BACKUP")
WORKSTATION_HOSTS = ("LAPTOP", "DESKTOP", "WKS", "KASSE", "OFFICE")
LINUX_HOSTS = ("web", "db", "proxy", "ci", "nas")
MAC_HOSTS = ("macbook", "Studio-Mac", "imac")
TWIN_HOST = "RECEPTION"

WINDOWS_SERVERS = (
    "Microsoft Windows Server 2016 Standard, 64 bit v1607 (build 14393.6614)",
    "Microsoft Windows Server 2019 Datacenter, 64 bit v1809 (build 17763.5458)",
    "Microsoft Windows Server 2022 Standard, 64 bit v21H2 (build 20348.2322)",
)
WINDOWS_CLIENTS = (
    "Microsoft Windows 10 Pro, 64 bit v22H2 (build 19045.4046)",
    "Microsoft Windows 11 Pro, 64 bit v23H2 (build 22631.3155)",
    "Microsoft Windows 11 Business, 64 bit v22H2 (build 22621.3155)",
)
LINUXES = (
    ("Debian 12.5 x86_64 6.1.0-18-amd64", "amd64"),
    ("Ubuntu 22.04 x86_64 5.15.0-94-generic", "amd64"),
    ("Raspbian 11.9 armv7l 6.1.21-v7+", "arm"),
)
DARWINS = (("Darwin 14.3.1 arm64 23.3.0", "arm64"), ("Darwin 12.7.3 x86_64 21.6.0", "amd64"))

AGENT_VERSIONS = ("2.11.0", "2.11.0", "2.11.0", "2.10.0", "2.8.0")
