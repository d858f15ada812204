"""What the words beside a code may name: an analyte that a rule reads, something else for certain, or nobody knows (LAB-13).

Names only ever close: a result counts as an analyte by its code alone. So a name that fits two analytes fits both, in the
languages that laboratories here write, and a word that is missing here costs a question and no dose.
"""

import re
import unicodedata
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from clinical.coding.codes import OF_URINE

_OF_THE_LIVER: Final = "transaminas[ae]n?|aminotransferas[ae]n?|liver enzymes?|leberenzyme?"
"""What may be ALT as well as AST."""
_NAMES: Final = {
    "alt": f"{_OF_THE_LIVER}|alt|alat|gpt|sgpt|alanine (amino)?transaminase|alanine aminotransferase|alanin aminotransferase"
    r"|alan\w* ?(?:amino ?)?trans\w*|tgp|алт|алат|аланинаминотрансфераза",
    "ast": f"{_OF_THE_LIVER}|ast|asat|got|sgot|aspartate (amino)?transaminase|aspartate aminotransferase"
    r"|aspartat aminotransferase|aspart\w* ?(?:amino ?)?trans\w*|tgo|аст|асат|аспартатаминотрансфераза",
    "alp": "alp|alkp|alk phos|alkaline phosphatase|alkalische phosphatase|phosphatase alcaline|phosphatases alcalines"
    "|alk phosphatase|phosphatase alkaline|phosphatase alkalisch"
    r"|fosfatas[aei] alcalin[ae]|fosfatasi alcalina|alk\w* (?:phos|fos)\w*|(?:phos|fos)\w* alk\w*|fosfataza zasadowa"
    r"|basisk (?:phos|fos)\w*|afos|alkalna fosfataza|alkaliska fosfataza|щелочная фосфатаза|щф|碱性磷酸酶",
    "bilirubin": r"bili|tbil|tbili|bil t|t bili|bilirr?ub\w*|билирубин|胆红素",
    "ggt": r"ggt|γ gt|gamma gt|(?:gamma|γ) ?glutamyl ?trans\w*|glutamyl ?trans\w*|g gt|ygt|ггт",
    "ldh": r"ldh|ld|la[ck]t\w*(?: acid)? ?dehydrogenas\w*|лдг",
    "lipase": r"lipas\w*|липаза",
    "amylase": r"amylas\w*|amilas\w*|alpha amylase|амилаза",
    "potassium": r"k|k\+|potassium|kalium\w?|potasio|potassio|potas|draslik|калии|血?钾",
    "magnesium": r"mg|mg\+\+|magnesium|magnesio|магнии",
    "calcium": r"ca|ca\+\+|ca2\+|calcium|kalzium|kalsium|calcio|кальции",
    "sodium": r"na|na\+|sodium|natrium|sodio|натрии",
    "creatinine": r"crea|creat|[ck]reatinin[ae]?|kreatiniini|kreatyn?in\w*|креатинин|肌酐",
    "egfr": "egfr|gfr|glomerular filtration rate|glomerulare filtrationsrate|dfg",
    "urate": r"urate?|uric acid|harnsaure|urinsyra|urinsyre|acide urique|acido urico|мочевая кислота",
    "phosphate": "phosphate|phosphorus|phosphat|phosphor|phos|po4|fosfato?|fosforo?|inorganic phosphate|фосфор|фосфаты",
    "albumin": "alb|albumin[ea]?|albumiini|альбумин",
    "inr": "inr|мно|international normali[sz]ed ratio|quick|prothrombin time inr",
    "haemoglobin": "hb|hgb|ha?emoglobin[ea]?|hamoglobin|emoglobina|hemoglobina|hemoglobiini|гемоглобин",
    "wbc": "wbc|leu[ck]o[czk]yt(?:e|en|er|es|i)?|leukosyytit|leucocitos|leucociti|white blood cells?|white cell count|white count"
    r"|weisse? blutkorperchen|vita blodkroppar|hvite blodlegemer|hvide blodlegemer|leu[ck]o[czk]yty|leukosit\w*|krwinki biale"
    "|witte bloedcellen|globules blancs|globulos blancos|globuli bianchi|bile krvinky|леикоциты|白血球|白细胞",
    "platelets": r"plt|platelets?|plytki(?: krwi)?|th?rombo[czks][iy]t[yi]|trombosit\w*|bloedplaatjes|krevni desticky|血小板\w*"
    r"|plaquettes|plaquetas|piastrine|th?rombo[czk]yt(?:e|en|er|es|i)?|trombocit[io]s?"
    "|trombosyytit|thrombo|platelet count|blutplattchen|blodplattar|blodplader|blodplater|тромбоциты",
    "anc": "anc|neutrophil(?:e|en|er|s)?|neutrofil(?:e|er|os|i)?|neutrofiilit|neutro|granulo[czk]yt(?:e|en|er|es)?|polys?|segs?"
    "|pmn|неитрофилы",
    "blasts": "blasts?|blasten|blaster|blastos|blasti|lymphoblasts?|lymphoblasten|blast cells?|бласты",
    "qtcf": "qt|qtc|qtcf|qtcb|qt interval|qt zeit",
    "heart_rate": "heart rate|pulse|puls|herzfrequenz|frequence cardiaque|frecuencia cardiaca",
    "qrs": "qrs|qrs duration",
    "hcg": "hcg|b hcg|beta hcg|choriogonadotropin|chorionic gonadotropin|pregnancy test|schwangerschaftstest"
    "|test de grossesse|prueba de embarazo|pregnancy status|pregnant"
    r"|schwangerschaft\w*|graviditet\w*|gravidanza|gravidez|embarazo|embarazada|grossesse|enceinte|zwanger\w*|raskau\w*"
    r"|raskaana|ciaz\w*|tehot\w*|terhes\w*|(?:β|beta) ?hcg|хгч|беременность|妊娠|怀孕",
    "weight": "body weight|weight|gewicht|korpergewicht|poids|peso|kroppsvikt|vikt|kroppsvekt|vekt|kropsvægt|vægt",
    "height": "body height|height|body length|grosse|korpergrosse|taille|talla|altezza|statura",
    "temperature": r"temp|\w*temperatu\w*"
    "|fieber|fever|fievre|fiebre|febre|febbre|feber|koorts|kuume|goraczka|horecka|лихорадка|температура|体温",
    "oxygen_saturation": "spo2|sao2|oxygen saturation|sauerstoffsattigung",
}
"""How an analyte is written, as words in small letters without accents; each alternative is whole words."""

_ALIKE: Final = MappingProxyType(
    {
        "bilirubin": ("bilirubin", "bilirubin_direct"),
        "calcium": ("calcium", "calcium_corrected", "calcium_ionised"),
        "anc": ("anc", "neutrophils_percent"),
        "blasts": ("blasts", "blasts_percent"),
        "qtcf": ("qt", "qtc", "qtcf"),
    }
)
"""A name is not exact enough to tell these from each other."""

_NOT_THIS: Final = (
    r"(?:sammel|spontan|morgen|mittelstrahl)?urin(?!syr)\w*|harn(?!saure|stoff)\w*|orina"
    r"|csf|liquor|cerebral spinal fluid|cerebrospinal fluid|body fluid|pleural"
    r"|ascitic|peritoneal|synovial|pericardial|stool|stuhl|fa?eces|fa?ecal|saliva|sweat|semen|dialysate|cord blood|amniotic"
    r"|transcutaneous|bone marrow|marrow|donor|a1c|hba1c|glycated|glycosylated|glycohemoglobin|fetal|foetal"
    r"|hemoglobin [afs]\d?|free ha?emoglobin|mch|mchc|mean corpuscular|mean cell|reticulocytes?|retikulozyten"
    r"|mean platelet|platelet mean|mpv|pdw|distribution width|mean volume|morphology|large platelets|platelets large"
    r"|giant platelets|immature platelets?|platelet function|platelet aggregation|\w*esterase|antibod(?:y|ies)|ab|ag"
    r"|\w*volumen|\w*verteilungsbreite|\w*antikorper|leukozytenphosphatase"
    r"|isoenzymes?|casts?|crystals?|creatinine ratio|albumin globulin|globulin ratio|\w*clearance|excretion"
    r"|lipoprotein lipase|acid phosphatase|glucose 6 phosphate|g6pd|pyrophosphate|apgar"
    r"|birth weight|birthweight|ideal body|percentile|for age|for length|for height|goal|target|history"
)
"""Words that say something else of whatever stands beside them: another specimen, a part, a ratio, a measure of its own."""

_SOMETHING_ELSE: Final = (
    r"chloride|chlorid|chlorure|glucose|glukose|glycemia|blutzucker|urea|harnstoff|bun|uree|bicarbonate|bikarbonat|co2"
    r"|carbon dioxide|ck|creatine kinase|kreatinkinase|troponin|myoglobin|crp|c reactive protein|procalcitonin|protein"
    r"|eiweiss|cholesterol|cholesterin|triglycerides?|triglyceride|hdl|ldl|tsh|thyroid|thyrotropin|t4|t3"
    r"|erythrocytes?|erythrozyten|red blood cells?|rbc|h(?:a)?ematocrit|hamatokrit|mcv|rdw|lymphocytes?|lymphozyten"
    r"|monocytes?|monozyten|eosinophils?|eosinophile|basophils?|basophile|d dimer|ptt|aptt|thromboplastin|antithrombin"
    r"|lactate|laktat|lactic acid|bnp|iron|eisen|transferrin|ferritin|vitamin|folate|cobalamin|b12|immunoglobulin"
    r"|ig[agme]|ph|pco2|po2|base excess|anion gap|osmolality|ammonia|ammoniak|cortisol|testosterone|ethanol|lithium"
    r"|digoxin|tacrolimus|ciclosporin|cyclosporine?|vancomycin|gentamicin|amikacin|methotrexate|busulfan|zinc|copper"
    r"|haptoglobin|beta 2 microglobulin|psa|prostate|afp|cea|ca 19 9|ca 125|ca 15 3|bmi|body mass index"
    r"|smoking|tobacco|alcohol|pain|score|sars cov|influenza|hiv|hepatitis|cmv|ebv|bacteria|culture|kultur"
    r"|xr|x ray|ct|mri|mrt|r(?:o|oe)ntgen\w*|radiograph\w*|radiograf\w*|mammogra\w*|angiogra\w*|tomogra\w*|ultraso\w*"
    r"|sonogra\w*|echo(?:c|k)ardiogra\w*|endoscop\w*|endoskop\w*|histolog\w*|cytolog\w*|zytolog\w*|microbiolog\w*"
)
"""Words that name another analyte, question or kind of examination for certain."""


_BEFORE: Final = "gesamt|total|serum|plasma|blut|vollblut"
_AFTER: Final = "zahl|konzentration|wert|werte|spiegel|aktivitat|antal|antall|niva|niveau"
"""What German and Nordic names write together with the analyte without making another of it."""


def _whole_words(alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w+])(?:{alternatives})(?![\w+])")


_FITS: Final = MappingProxyType(
    {analyte: _whole_words(f"(?:{_BEFORE})?(?:{names})(?:{_AFTER})?") for analyte, names in _NAMES.items()}
)
_QUALIFIED, _ELSE = _whole_words(_NOT_THIS), _whole_words(_SOMETHING_ELSE)
_PER: Final = re.compile(r"(?:/|\bper )\s*100 (?:leu[ck]ocytes|cells|wbc|leukozyten)|/\s*leu[ck]ocytes|\[[^\]]*\]")
_SPLIT: Final = re.compile(r"[^\w+]+|_")
_ASIDE: Final = re.compile(
    r"(?!^)\b(?:for(?! (?:age|length|height))|f[uü]r|not|nicht|kein\w*|ikke|inte|without|ohne|except|excluding|post|after|nach"
    r"|by|with|mit|mittels|via)\b[^,;()]*|\b(?:antibod(?:y|ies)|ab|antik[oö]rper)[ -]?(?:method|assay|technique|methode)\b",
    re.IGNORECASE,
)
"""What a measurement was made for, by, without or after: it makes no other analyte of what it stands beside."""
_BRACKETS: Final = re.compile(r"\([^)]*\)?")
_AMBIGUOUS: Final = _whole_words(r"k|k\+|mg|mg\+\+|ca|na|ld|got|tgo|quick|pulse|puls|taille|peso")
_FEW_WORDS: Final = 4
"""A name that is also a word of its own, or a letter, names an analyte among so many words at most."""
NEVER_QUALIFIED: Final = frozenset({"hcg"})
"""A pregnancy test counts from urine as from serum (MON-11a)."""


@lru_cache(maxsize=4096)
def named(words: str) -> frozenset[str]:
    """The analytes that these words may name; empty where they name none that a rule reads."""
    told = _plain(words)
    if len(told.split()) > _FEW_WORDS or _ELSE.search(told):
        told = _AMBIGUOUS.sub(" ", told)
    fitting = {analyte for analyte, pattern in _FITS.items() if pattern.search(told)}
    if _is_qualified(words):
        fitting &= NEVER_QUALIFIED
    return frozenset(one for analyte in fitting for one in _ALIKE.get(analyte, (analyte,)))


@lru_cache(maxsize=4096)
def names_another(words: str) -> bool:
    """Whether these words certainly name something that no rule reads."""
    return not named(words) and (_is_qualified(words) or bool(_ELSE.search(_plain(words))))


def _is_qualified(words: str) -> bool:
    """Whether these words certainly say something else of what they name: not what it was made for, by, without or after.

    What stands in brackets may be the specimen, and otherwise names nothing for certain.
    """
    said = _ASIDE.sub(" ", words)
    return bool(_QUALIFIED.search(_plain(_BRACKETS.sub(" ", said))) or _OTHER_FLUID.search(_plain(said)))


_BLOOD: Final = _whole_words(
    r"blood|serum|plasma|ser|plas|bld|wb|bldv|blda|bldc|serplas|whole|venous|arterial|capillary|edta|heparin\w*|citrat\w*"
    r"|(?:voll)?blut|sang|sangre|sangue|suero|siero|119297000|119361006|119364003|122552005|122554006|122555007|258580003"
)
"""What a specimen of blood is called, in words, by HL7 table 0487 and by SNOMED CT."""
_OTHER_FLUID: Final = _whole_words(
    r"(?:sammel|spontan|morgen|mittelstrahl)?urin(?!syr)\w*|ur|urc|harn(?!saure|stoff)\w*|orina|csf|spinal|liquor|fluid|pleural|ascit\w*|stool|stuhl|saliva|marrow|cord|sweat|tissue|aszites|\w*punktat|drainage\w*|\w*sekret|secretions?"
    r"|122575003|258450006|119359002|122556008|418564007|309201001|168139001|119339001|119342007"
)
"""What a specimen of another kind is called, in words and by SNOMED CT."""
_URINE: Final = _whole_words(r"(?:sammel|spontan|morgen|mittelstrahl)?urin\w*|ur|urc|harn|orina|122575003")


def fits_specimen(loinc: str, kind: str) -> bool:
    """Whether a result of this code can be of such a specimen: blood or what is made of it, or urine (LAB-14)."""
    told = _plain(kind)
    if loinc in OF_URINE:
        return bool(_URINE.search(told))
    return bool(_BLOOD.search(told)) and not _OTHER_FLUID.search(told)


def of_another_fluid(loinc: str, words: str) -> bool:
    """Whether these words certainly name a specimen of another kind than this code's; a mere number names none (LAB-14)."""
    told = _plain(words)
    if loinc in OF_URINE:
        return bool(_BLOOD.search(told) or _OTHER_FLUID.search(told)) and not _URINE.search(told)
    return bool(_OTHER_FLUID.search(told))


def made_with_another_fluid(loinc: str, words: str) -> bool:
    """Whether the words of a method name a specimen of another kind only; one for blood and urine is for either."""
    return of_another_fluid(loinc, words) and not (loinc not in OF_URINE and _BLOOD.search(_plain(words)))


_WITHOUT_A_STROKE: Final = str.maketrans({"ł": "l", "đ": "d", "ı": "i"})
"""Letters that are no others with a mark, and are written as these where the mark cannot be."""


def _plain(words: str) -> str:
    """In small letters without accents, the property of a LOINC name and `per 100 leukocytes` taken away."""
    letters = unicodedata.normalize("NFKD", words.casefold()).translate(_WITHOUT_A_STROKE)
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter) and letter != "\u200b")
    return " ".join(_SPLIT.sub(" ", _PER.sub(" ", bare)).split())
