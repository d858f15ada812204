"""The limits as a person reads them in the clinical reference, written down a second time by hand.

They are not read from the protocol file on purpose: a wrong number there must not excuse itself. Each names its clause.
"""

from datetime import timedelta
from decimal import Decimal

SIX_DAYS = 6  # DOSE-04, DAY-03: calendar dates between any two doses
LAST_DOSE_TO_NEXT_CYCLE = 7  # DAY-05
FIRST_CYCLE_DAYS = {"us-label": 21, "article": 28, "eu-smpc": 21}  # DOSE-05, DIV-03
LATER_CYCLE_DAYS = 28  # DOSE-06
EARLIER_BY_THE_CLOCK = timedelta(hours=6)  # DAY-03
WINDOW_DAYS = 2  # DOSE-04

DOSES = {  # mg/m² on days 1, 8, 15 (DOSE-01 … DOSE-03, DIV-01)
    "first": {"us-label": ("0.8", "0.5", "0.5"), "article": ("0.5", "0.5", "0.5"), "eu-smpc": ("0.8", "0.5", "0.5")},
    "response": ("0.5", "0.5", "0.5"),
    "no response": ("0.8", "0.5", "0.5"),
}
LEVELS = {"L0": Decimal(1), "L1": Decimal("0.75"), "L2": Decimal("0.75")}  # LVL-01
LEFT_OUT_FROM_DAYS, REDUCED_FROM_DAYS = 7, 14  # DUR-02, DUR-03
MOSTELLER = Decimal(3600)  # BSA-01

NO_RESPONSE_CYCLES = 3  # DOSE-07
CYCLES = 6  # DOSE-09
CYCLES_BEFORE_TRANSPLANT, MOST_BEFORE_TRANSPLANT = 2, 3  # DOSE-08

BILIRUBIN_ULN, TRANSAMINASE_ULN = Decimal("1.5"), Decimal("2.5")  # NON-02, NON-08
BILIRUBIN_VOD = Decimal(34)  # µmol/L, VOD-05, -11, AMB-12
MICROMOLES_PER_MG_DL = Decimal("17.104")  # §9.2
GAIN_INO_VATE, GAIN_EBMT = Decimal("2.5"), Decimal(5)  # VOD-11, VOD-05
SIGNS = 2

NEUTROPHILS, PLATELETS = Decimal(1), Decimal(50)  # HEM-01, HEM-03
BLASTS = Decimal(10)  # CYT-02
QTCF_MS, QTCF_STOP_MS = Decimal(480), Decimal(500)  # QT-02, QT-01
POTASSIUM_D1, POTASSIUM_LATER = Decimal("3.5"), Decimal("3.0")  # QT-05
FEVER = Decimal(38)  # MON-16
CREATININE_ULN = Decimal("1.5")  # CT-21, NON-06
TOXICITY_GRADE, SEVERE_GRADE = 2, 3  # NON-06, IRR-01

LIVER_AGE = timedelta(hours=48)  # DATA-01 … DATA-03
COUNTS_AGE_D1, COUNTS_AGE = timedelta(hours=24), timedelta(hours=48)
ELECTROLYTES_AGE = timedelta(hours=48)
ECG_AGE = timedelta(days=7)
EXAMINATION_AGE = timedelta(hours=24)
WEIGHT_AGE_FIRST, WEIGHT_AGE_D1, WEIGHT_AGE = timedelta(hours=72), timedelta(hours=24), timedelta(hours=72)

PREMEDICATION_FROM, PREMEDICATION_UNTIL = timedelta(minutes=30), timedelta(minutes=120)  # PRE-07
TO_DILUTION, TO_THE_LAST_DROP, INFUSION = timedelta(hours=4), timedelta(hours=8), timedelta(hours=1)  # PREP-11, -12
OBSERVATION = timedelta(minutes=60)  # INF-02
FULL_RATE_ML_PER_H, BAG_ML = Decimal(50), Decimal(50)  # INF-01, PREP-04

LIVER_TEST_AFTER_DOSE = timedelta(hours=24)  # MON-02
WATCHED_AFTER_LAST_DOSE = 56  # MON-04

IMPLAUSIBLE = {"alt": (1, 25_000), "ast": (1, 25_000), "alp": (3, 10_000), "bilirubin": (0, 80)}  # PLAU-01

CRITICAL = {  # CRIT-01: from … to what nobody is called; mg/dL, mmol/L, g/dL, 10*9/L
    "anc": (Decimal("0.5"), Decimal(10**6)),
    "wbc": (Decimal(1), Decimal(50)),
    "platelets": (Decimal(20), Decimal(10**6)),
    "haemoglobin": (Decimal(7), Decimal(10**6)),
    "potassium": (Decimal("2.8"), Decimal(6)),
    "magnesium": (Decimal(1), Decimal(5)),
    "bilirubin": (Decimal(0), Decimal("2.99")),
}
DEATH_GRADE = 5  # CT-27
CALLED_BEFORE = timedelta(minutes=30)  # INF-07
WEEKLY_AFTER_TRANSPLANT = 30  # MON-03, days
MARROW_BLASTS = Decimal(5)  # RESP-01, per cent
LYSIS = {"urate": Decimal(8), "phosphate": Decimal("4.5"), "potassium": Decimal(6)}  # TLS-01, adults
FLUID = Decimal("1.05")  # BSA-08
TRANSFUSED = timedelta(hours=72)  # HEM-09
