"""What license plates of the world look like: forms of numbers, sizes, bands, colors, small print.

A form spells a number with `A` for a letter and `9` for a digit; a dash, point or space in it is
drawn and is part of the text, a `*` is a seal, a sticker or a coat of arms between two groups,
which is drawn but is no text.
"""

from __future__ import annotations

from dataclasses import dataclass

GROTESQUE = (
    "overpass", "oswald", "pt-sans-narrow", "roboto-condensed", "archivo-narrow",
    "barlow-semi-condensed", "fira-sans-condensed", "liberationsansnarrow", "barlow", "arimo",
    "liberationsans", "ibm-plex-sans-condensed", "asap-condensed", "encode-sans-condensed",
    "bai-jamjuree", "saira-condensed", "chivo", "public-sans",
)  # fmt: skip
CONDENSED = (
    "barlow-condensed", "big-shoulders-display", "saira-extra-condensed", "antonio", "bebas-neue",
    "rajdhani", "teko", "khand", "norwester", "league-gothic", "fjalla-one", "oswald", "dosis",
    "fira-sans-extra-condensed", "pt-sans-narrow", "staatliches", "alumni-sans", "share-tech",
    "roboto-condensed", "ubuntu-condensed", "open-sans-condensed", "cooper-hewitt",
)  # fmt: skip
MONO = (
    "share-tech-mono", "overpass-mono", "b612-mono", "roboto-mono", "dm-mono", "cousine",
    "liberationmono", "pt-mono", "jetbrains-mono", "kode-mono", "azeret-mono", "noto-sans-mono",
    "chakra-petch", "red-hat-display", "iosevka",
)  # fmt: skip
ROUND = (
    "varela-round", "nunito", "dosis", "abel", "quicksand", "m-plus-rounded", "comfortaa",
    "rajdhani", "jura", "titillium-web", "monda", "share-tech", "play", "quantico", "exo-2",
)  # fmt: skip


@dataclass(frozen=True)
class Tone:
    """Gray levels of a plate: `ground` and `ink`, each from and to."""

    ground: tuple[int, int]
    ink: tuple[int, int]


WHITE = Tone((195, 252), (5, 70))
YELLOW = Tone((150, 215), (5, 60))
DARK = Tone((12, 70), (170, 250))
COLORED = Tone((195, 250), (70, 135))  # red, green or blue letters
GRAY = Tone((120, 175), (10, 55))


@dataclass(frozen=True)
class Kind:
    """One kind of plate.

    Attributes:
        forms: The numbers it carries.
        share: How often it is drawn, against the others.
        aspect: Width over height of the sheet.
        letters: Height of a capital, in heights of the sheet.
        middle: Where the letters' middle lies, from the top, in heights of the sheet.
        cell: Width of a letter with its gap, in heights of a capital.
        faces: Families of fonts it may be set in.
        even: All letters have the same width of sheet to themselves.
        tones: Its colors, as they look in gray.
        band: Where a band with the country's letters is: `left`, `both`, `top`, or nothing.
        badge: What is written on the band or strip, never part of the text.
        over: Small print above the number.
        under: Small print below it.
        seal: What `*` is: `discs`, `arms`, `dot`.
        dash: Length of a dash, in heights of a capital.
        bolts: Bolts or slots are to be seen above and below.
        scenery: A picture may be behind the number, and stickers in the corners.
        pairs: Small print above and below that goes together.
    """

    forms: tuple[str, ...]
    share: float
    aspect: float = 4.7
    letters: float = 0.66
    middle: float = 0.5
    cell: float = 0.66
    faces: tuple[str, ...] = GROTESQUE
    even: bool = False
    tones: tuple[Tone, ...] = (WHITE,)
    band: str = ""
    badge: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    under: tuple[str, ...] = ()
    seal: str = "arms"
    dash: float = 0.3
    bolts: bool = False
    scenery: bool = False
    pairs: tuple[tuple[str, str], ...] = ()


def _eu(badge: str, share: float, *forms: str, **more: object) -> Kind:
    """A long plate with the blue band."""
    band = more.pop("band", "left")
    return Kind(forms, share, badge=(badge,), band=str(band), **more)  # type: ignore[arg-type]


_STATES = (
    ("CALIFORNIA", "dmv.ca.gov"), ("TEXAS", "The Lone Star State"), ("NEW YORK", "EMPIRE STATE"),
    ("FLORIDA", "SUNSHINE STATE"), ("MYFLORIDA.COM", "SUNSHINE STATE"), ("ARIZONA",
    "Grand Canyon State"),
    ("NEVADA", "THE SILVER STATE"), ("OREGON", ""), ("WASHINGTON", "EVERGREEN STATE"),
    ("COLORADO", ""), ("UTAH", "LIFE ELEVATED"), ("IDAHO", "FAMOUS POTATOES"),
    ("MONTANA", "Treasure State"), ("WYOMING", ""), ("NEW MEXICO", "Land of Enchantment"),
    ("OKLAHOMA", "Native America"), ("KANSAS", ""), ("NEBRASKA", "nebraska.gov"),
    ("SOUTH DAKOTA", "Great Faces. Great Places."), ("NORTH DAKOTA", "Peace Garden State"),
    ("Minnesota", "10,000 lakes"), ("WISCONSIN", "America's Dairyland"), ("IOWA", ""),
    ("Missouri", "SHOW-ME STATE"), ("ARKANSAS", "The Natural State"), ("Louisiana",
    "Sportsman's Paradise"),
    ("MISSISSIPPI", ""), ("ALABAMA", "Heart of Dixie"), ("TENNESSEE", "THE VOLUNTEER STATE"),
    ("KENTUCKY", "BLUEGRASS STATE"), ("Illinois", "Land of Lincoln"), ("INDIANA", "Hoosier State"),
    ("MICHIGAN", "Pure Michigan"), ("OHIO", "BIRTHPLACE OF AVIATION"), ("GEORGIA", "PEACH STATE"),
    ("SOUTH CAROLINA", "Smiling Faces"), ("NORTH CAROLINA", "FIRST IN FLIGHT"),
    ("VIRGINIA", ""), ("West Virginia", "Wild, Wonderful"), ("MARYLAND", "www.maryland.gov"),
    ("DELAWARE", "THE FIRST STATE"), ("PENNSYLVANIA", "visitPA.com"), ("NEW JERSEY",
    "GARDEN STATE"),
    ("Connecticut", "Constitution State"), ("RHODE ISLAND", "Ocean State"),
    ("MASSACHUSETTS", "The Spirit of America"), ("VERMONT", "GREEN MOUNTAIN STATE"),
    ("NEW HAMPSHIRE", "LIVE FREE OR DIE"), ("MAINE", "Vacationland"), ("ALASKA",
    "The Last Frontier"),
    ("HAWAII", "ALOHA STATE"), ("WASHINGTON, D.C.", "TAXATION WITHOUT REPRESENTATION"),
    ("ONTARIO", "YOURS TO DISCOVER"), ("Quebec", "Je me souviens"), ("ALBERTA",
    "WILD ROSE COUNTRY"),
    ("British Columbia", "BEAUTIFUL"), ("MANITOBA", "FRIENDLY"), ("BAJA CALIFORNIA", "MEXICO"),
    ("JALISCO", "MEXICO"), ("PUERTO RICO", "ISLA DEL ENCANTO"),
)  # fmt: skip
_AUSTRALIA = (
    ("NEW SOUTH WALES", ""), ("NSW", "THE FIRST STATE"), ("", "VICTORIA - ON THE MOVE"),
    ("VIC", "THE PLACE TO BE"), ("", "QUEENSLAND - SUNSHINE STATE"), ("", "SOUTH AUSTRALIA"),
    ("WESTERN AUSTRALIA", ""), ("", "TASMANIA - EXPLORE THE POSSIBILITIES"),
    ("ACT - THE NATION'S CAPITAL", ""), ("NT - OUTBACK AUSTRALIA", ""),
)  # fmt: skip
_CITIES = (
    "SP-SAO PAULO", "RJ-RIO DE JANEIRO", "MG-BELO HORIZONTE", "PR-CURITIBA", "RS-PORTO ALEGRE",
    "BA-SALVADOR", "PE-RECIFE", "CE-FORTALEZA", "SC-FLORIANOPOLIS", "GO-GOIANIA", "DF-BRASILIA",
    "ES-VITORIA", "PA-BELEM", "AM-MANAUS", "SP-CAMPINAS", "SP-SANTOS", "MG-UBERLANDIA",
    "PR-LONDRINA", "SC-JOINVILLE", "RS-CAXIAS DO SUL", "SP-OSASCO", "RJ-NITEROI", "MT-CUIABA",
)  # fmt: skip
_COLOMBIA = (
    "BOGOTA D.C.", "MEDELLIN", "CALI", "BUCARAMANGA", "B/BERMEJA", "ENVIGADO", "CHIA", "FUNZA",
    "V. DEL ROSARIO", "GIRON", "PEREIRA", "MANIZALES", "CUCUTA", "SABANETA", "IBAGUE",
)  # fmt: skip

_BR_OLD = Kind(
    ("AAA-9999", "AAA-9999", "AAA 9999", "AAA.9999"), 16, 3.08, 0.49, 0.6, 0.62, CONDENSED,
    tones=(GRAY, GRAY, GRAY, WHITE, DARK), over=_CITIES, dash=0.16, bolts=True,
)  # fmt: skip
_US_FORMS = (
    "AAA 9999", "AAA 9999", "AAA-9999", "9AAA999", "999 AAA", "AAA 999", "AAA*999", "999*AAA",
    "AAA-999", "999-AAA", "AAA9999", "AA9 9AA", "AA 99999", "99999 AA", "999 9AA", "A99 AAA",
    "AAA 99A", "9A A9999", "AA*9999", "A9 99999", "A99999", "AA 9999A", "99A 999", "AAAA 999",
    "999AA9", "A999999", "99 9999", "AA99999", "9AA A99", "AAA*9999", "9999 AA", "AAAAAA",
    "AAAAAAA",
    "AAAA99", "AA999A", "AAA 9A9", "9AA 9AA",
)  # fmt: skip

KINDS = (
    # The Union's, each with its band; the letters on it are never text.
    _eu("D", 9, "A*AA 999", "A*AA 9999", "AA*AA 999", "AA*AA 99", "AAA*AA 99", "AA*A 9999",
        "AAA*A 999", "A*A 9999", "A-AA 9999", "AA-AA 999", "AAA-AA 999", "AA*AA 9999",
        "A*AA 999A", faces=MONO + GROTESQUE[:6], even=True, cell=0.64, seal="discs"),
    _eu("F", 6, "AA-999-AA", "AA-999-AA", "AA-999-AA", "999 AAA 99", "9999 AA 99", band="both"),
    _eu("I", 5, "AA 999AA", "AA*999AA", "AA 999 AA", band="both"),
    _eu("E", 6, "9999 AAA", "9999 AAA", "9999*AAA", "A 9999 AA", "A-9999-AA"),
    _eu("NL", 7, "99-AAA-9", "AA-99-99", "99-AA-AA", "A-999-AA", "AA-999-A", "9-AAA-99",
        "99-AA-99", "AA-AA-99", "AAA-99-A", "9-AA-999", tones=(YELLOW, YELLOW, YELLOW, WHITE),
        dash=0.26),
    _eu("GB", 5, "AA99 AAA", "AA99 AAA", "A999 AAA", "AAA 999A", tones=(WHITE, YELLOW),
        cell=0.68),
    _eu("UK", 3, "AA99 AAA", "A99 AAA", "AAA 9999", tones=(WHITE, YELLOW), cell=0.68, band=""),
    _eu("PL", 5, "AA 99999", "AAA 9999A", "AA 9999A", "AAA 99999", "A9 AAA", "AAA AA99",
        "AA*99999", "AAA*9999A"),
    _eu("RO", 5, "A 99 AAA", "A 999 AAA", "AA 99 AAA", "AA 99 AAA"),
    _eu("CZ", 4, "9A9 9999", "9A9*9999", "AAA 99-99", "AA 999-99", "9AA*9999"),
    _eu("SK", 2, "AA*999AA", "AA-999AA", "AA 999AA"),
    _eu("H", 4, "AAA-999", "AAA-999", "AA*AA-999", "AAAA-99", "AA AA-999"),
    _eu("S", 3, "AAA 999", "AAA 99A", "AAA*999"),
    _eu("A", 4, "A*99999A", "AA*999AA", "A 99999 A", "AA 999 AA", "AA-999AA", "AA*9999A"),
    _eu("B", 4, "9-AAA-999", "9-AAA-999", "AAA-999", "AAA-999", "999-AAA",
        tones=(COLORED, COLORED, WHITE)),
    _eu("P", 4, "99-99-AA", "99-AA-99", "AA-99-99", "AA-99-AA", "AA 99 AA", "AA.99.AA",
        dash=0.22),
    _eu("GR", 3, "AAA-9999", "AAA-9999", "AAA 9999"),
    _eu("BG", 2, "A 9999 AA", "AA 9999 AA", "A*9999*AA"),
    _eu("HR", 2, "AA*999-AA", "AA*9999-AA", "AA 999-AA"),
    _eu("SLO", 1, "AA*AA-999", "AA AA-999", "AA*999-AA"),
    _eu("FIN", 2, "AAA-999", "AAA-99", "AA-999"),
    _eu("DK", 2, "AA 99 999", "AA 99 999", "AA*99*999"),
    _eu("N", 2, "AA 99999", "AA 99999", "AA*99999"),
    _eu("IRL", 2, "99-A-9999", "999-A-99999", "999-AA-999", "99-AA-999"),
    _eu("LT", 1, "AAA 999", "AAA*999"),
    _eu("LV", 1, "AA-9999", "AA-999"),
    _eu("EST", 1, "999 AAA"),
    _eu("L", 1, "AA 9999", "99999", tones=(YELLOW, WHITE)),
    _eu("TR", 3, "99 AA 999", "99 AAA 99", "99 A 9999", "99 AA 9999", "99 AAA 999"),
    _eu("UA", 2, "AA 9999 AA", "AA9999AA", "AA*9999*AA"),
    _eu("SRB", 1, "AA*999-AA", "AA 999-AA"),
    Kind(("AA 999999", "AA*999999", "AA.999999", "AA*99999", "AA 9999", "AA*999 999"), 4,
         faces=GROTESQUE, cell=0.64, seal="arms"),  # Switzerland
    # Brazil: metal with the city above, and the Mercosul's band.
    _BR_OLD,
    Kind(("AAA9A99",), 13, 3.08, 0.5, 0.61, 0.68, MONO + GROTESQUE, True,
         tones=(WHITE, WHITE, COLORED), band="top", badge=("BRASIL",), bolts=True),
    # North America.
    Kind(_US_FORMS, 32, 2.0, 0.43, 0.52, 0.56, CONDENSED, True,
         tones=(WHITE, WHITE, COLORED, YELLOW, GRAY, DARK), seal="shape", dash=0.2, bolts=True,
         scenery=True, pairs=_STATES),
    # India: strip IND at the left, any face at all.
    Kind(("AA 99 AA 9999", "AA 99 A 9999", "AA99AA9999", "AA99A9999", "AA-99-AA-9999",
    "AA 9A AA 9999",
          "AA 99 9999", "AA99 AA9999", "AA 99 AA9999", "AA.99.A.9999", "AA 9AAA 9999",
          "AA99 A 9999"),
         9, 4.3, 0.5, 0.5, 0.66, GROTESQUE + MONO + ROUND + CONDENSED[:4],
         tones=(WHITE, WHITE, YELLOW),
         band="thin", badge=("IND",), dash=0.25, bolts=True),
    # Taiwan.
    Kind(("AAA-9999", "AAA-9999", "9999-AA", "AA-9999", "999-AAA", "AAA-999", "A9-9999", "AA9-999",
          "AAA.9999", "999.AAA"), 7, 2.2, 0.5, 0.56, 0.52, CONDENSED, True,
         tones=(WHITE, WHITE, COLORED, YELLOW, DARK), dash=0.13, bolts=True),
    # Argentina, before and within the Mercosul.
    Kind(("AAA 999",), 3, 2.3, 0.48, 0.52, 0.6, GROTESQUE + CONDENSED[:6], True, tones=(DARK,),
         over=("ARGENTINA",), bolts=True),
    Kind(("AA 999 AA",), 4, 3.08, 0.52, 0.6, 0.6, GROTESQUE + MONO, True,
         band="top", badge=("REPUBLICA ARGENTINA",)),
    # Colombia.
    Kind(("AAA-999", "AAA*999", "AAA*999", "AAA 999", "AAA 99A"),
    5, 2.1, 0.45, 0.47, 0.64, GROTESQUE,
         tones=(YELLOW, YELLOW, WHITE), under=_COLOMBIA, dash=0.2, bolts=True, seal="dot"),
    # Australia.
    Kind(("AAA 99A", "AAA-99A", "AAA 999", "999 AAA", "9AA 9AA", "AA 99 AA", "A999 AAA", "AAA*999",
          "9AAA 999", "AAA*99A"), 5, 2.8, 0.5, 0.5, 0.6, GROTESQUE + CONDENSED[:6], True,
         tones=(WHITE, YELLOW, DARK, COLORED), pairs=_AUSTRALIA, seal="dot", dash=0.16, bolts=True),
    # Elsewhere: white or yellow sheets, black ones with white letters.
    Kind(("99-999-99", "999-99-999", "AAA 9999", "AA 9999", "9999", "99999", "999999", "A 99999",
    "AA-99-99",
          "A 9999 AA", "999 9999", "AAA 9999 A", "99 999 99", "9AA 9999", "AAA-9999"), 7,
         4.3, 0.58, 0.5, 0.64, GROTESQUE + CONDENSED[:8] + MONO[:4],
         tones=(WHITE, YELLOW, DARK, DARK), dash=0.22, bolts=True),
)  # fmt: skip
"""Every kind there is."""

DEALERS = (
    "MOTORS", "AUTO CENTER", "www.autohaus.de", "HYUNDAI", "TOYOTA", "HONDA", "FORD",
    "Autohaus Koch",
    "VOLVO", "BMW", "MARUTI SUZUKI", "CITY CARS", "Garage du Lac", "CHEVROLET", "Tel. 02 555 14",
    "RENAULT", "AUTOMOBILE", "MERCEDES-BENZ", "NISSAN", "PEUGEOT", "www.bilcenter.se", "DRIVE SAFE",
)  # fmt: skip
"""What frames say."""
