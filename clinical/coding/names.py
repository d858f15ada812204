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
    r"|alan\w* ?(?:amino ?)?trans\w*|alt[1l]|gpt ?37\w*|glutam\w* pyruv\w*(?: trans\w*)?|tgp|гпт|αλανιν\w*|алт|алат|谷丙转氨酶"
    "|丙氨酸氨基转移酶|аланинаминотрансфераза",
    "ast": f"{_OF_THE_LIVER}|ast|asat|got|sgot|aspartate (amino)?transaminase|aspartate aminotransferase"
    r"|aspartat aminotransferase|aspart\w* ?(?:amino ?)?trans\w*|ast[1l]|aspat|got ?37\w*|glutam\w* oxal\w*(?: trans\w*)?|tgo"
    r"|ασπαρτ\w*|аст|асат|аспартатаминотрансфераза",
    "alp": "alp|ap|pal|alkp|alk phos|alkaline phosphatase|alkalische phosphatase|phosphatase alcaline|phosphatases alcalines"
    "|alk phosphatase|phosphatase alkaline|phosphatase alkalisch"
    r"|fosfatas[aei] alcalin[ae]|fosfatasi alcalina|alk\w* (?:phos|fos)\w*|(?:phos|fos)\w* alk\w*|fosfataza zasadowa"
    r"|basisk (?:phos|fos)\w*|afos|alkalna fosfataza|alkaliska fosfataza|щелочная фосфатаза|щф|碱性磷酸酶",
    "bilirubin": r"bil|bili|bilt|tbil|tbili|bil t|gesamtbili|χολερυθριν\w*|\w*胆红素\w*|t bili|bilirr?ub\w*|билирубин|胆红素",
    "ggt": r"ggtp?|γ gt|gamma gt|(?:gamma|γ) ?glutamyl ?trans\w*|glutamyl ?trans\w*|g gt|ygt|ггт",
    "ldh": r"ldh|ld|la[ck]t\w*(?: acid)? ?dehydrogenas\w*|лдг",
    "lipase": r"lip|lips|lipas\w*|lipaz\w*|lipaasi|липаза",
    "amylase": r"amy|amyl|\w*amylas\w*|amilas\w*|amyla[az]\w*|alpha amylase|амилаза",
    "potassium": r"k|k\+|potassium|kalium\w?|potasio|potassio|potas|draslik|калии|калій|potasyum|κάλιο|血?钾",
    "magnesium": r"mg|mg\+\+|magnesium|magnesio|magnez|magnézium|magnezyum|hořčík|магнии|магній|μαγνήσιο",
    "calcium": r"ca|ca\+\+|ca2\+|calcium|kalzium|kalsium|calcio|wapń|vápník|kalsiyum|кальции|кальцій|ασβέστιο",
    "sodium": r"na|na\+|sodium|natrium|sodio|натрии",
    "creatinine": r"[ck]rea|creat|scr|[ck]reatinin[aey]?|κρεατινιν\w*|kreatiniini|kreatyn?in\w*|креатинин|肌酐",
    "egfr": "egfr|gfr|glomerular filtration rate|glomerulare filtrationsrate|dfg",
    "urate": r"urate?|uric acid|uric[aeé]mi\w*|harns(?:ä|ae?)ure|harnsr?|urinezuur|kwas moczowy|kyselina močová"
    r"|mocov\w* kyselin\w*|uraatti|urik asit|ουρικο\w* οξυ|сечова кислота|urinsyra|urinsyre|acide urique|acido urico"
    "|мочевая кислота",
    "phosphate": "phosphate|phosphorus|phosphat|phosphor|phos|po4|fosfato?|fosforo?|inorganic phosphate|фосфор|фосфаты",
    "albumin": "alb|albumin[ea]?|albumiini|альбумин",
    "inr": "inr|мно|international normali[sz]ed ratio|quick|prothrombin time inr",
    "haemoglobin": "hb|hgb|ha?emoglobin[ea]?|hamoglobin|emoglobina|hemoglobina|hemoglobiini|гемоглобин|гемоглобін"
    "|αιμοσφαιρίνη|血红蛋白",
    "wbc": r"wbcs?|leu[ck]o?s?|leu[ckz]o[czks][iyí]{1,2}t(?!o?[sz]e|o?[sz]is|o?pen|ur)\w*|lkc|lkz|lpk|gb|white blood cells?"
    "|white cells?"
    r"|white cell count|white count|weisse? blutk\w*|vita blod\w*|hvite? blod\w*|hvide blod\w*|valkosolu\w*|lökosit\w*"
    r"|beyaz küre\w*|akyuvar\w*|krwinki białe|białe krwinki|witte bloed\w*|globules blancs|glob[ou]los blancos|globulos brancos"
    r"|globuli bianchi|bílé krvinky|fehérvérsejt\w*|лейкоцит\w*|лейк|λευκ\w* αιμοσφαιρ\w*|λευκοκυτταρ\w*|\w*白血球\w*"
    r"|\w*白细胞\w*",
    "platelets": "plts?|plt f|plq|platelets?|płytki(?: krwi)?|th?romb?o?s?"
    r"|th?romb?o[czks][iy]{1,2}t(?!o?[sz]e|o?[sz]is|o?pen|o?pat)\w*"
    r"|thro?|thrz|trc|tpk|bloedplaat\w*|(?:krevní )?destičky|krvné doštičky|plaquettes?|plaquetas?|piastrin[ae]|vérlemezke\w*"
    r"|platelet count|blutplätt\w*|blodplät\w*|blodplad\w*|blodplat\w*|тромбоцит(?!о?п)\w*|αιμοπεταλι\w*|\w*血小板\w*",
    "anc": r"anc|neu|neuts?|ne|neut(?!ral|rop[ae])\w*|neutro(?:ph|f)\w*|nötrofil\w*|granulo[czks][iy]{1,2}t\w*|gran?|polys?"
    "|segs?|pmn|pnn"
    r"|segmentkern\w*|segmentier\w*|segmentados?|stabkern\w*|staafkern\w*|cayados|polynucl\w*|polimorfonucl\w*"
    r"|polymorphonucl\w*"
    r"|нейтроф\w*|ουδετεροφιλ\w*|πολυμορφοπυρην\w*|\w*中性粒\w*|\w*好中球\w*",
    "blasts": r"blast(?:s|en|er|os|i|y|es|it|ів)?|lymphoblast\w*|limfoblast\w*|linfoblast\w*|myeloblast\w*|бласт\w*|βλαστ\w*"
    r"|(?:\w*atyp\w*|variant) l[iyí][mn](?:ph|f)o\w*|l[iyí][mn](?:ph|f)o\w* atyp\w*"
    r"|(?:leuk\w*|pathol\w*|unreif\w*|immature|abnormal) (?:cells?|zellen)"
    r"|атипичн\w* лимфоцит\w*|\w*原始细胞\w*|\w*芽球\w*",
    "qtcf": "qt|qtc|qtcf|qtcb|qt interval|qt zeit",
    "heart_rate": "heart rate|pulse|puls|herzfrequenz|frequence cardiaque|frecuencia cardiaca",
    "qrs": "qrs|qrs duration",
    "hcg": r"[\w+]*hcg[\w+]*|\w*хгч\w*|\w*(?:ch|k|c)or[iy]\w*(?: h\w+)? ?gonadotro\w*"
    r"|gonadotro\w*(?: \w+)? (?:ch|k|c|h)or[iy]\w*"
    r"|хор[иі]он\w* ?гонадотроп\w*|гонадотроп\w*(?: \w+)? хор[иі]он\w*|χορι\w* γοναδοτροπ\w*"
    r"|pregnan[ct]\w*|preg|pregn|upt|gestation\w*|gestaci\w*|gestant\w*|gestação|gravid(?!ity\b)\w*|test gravidity|gravindex"
    r"|\w*schwanger\w*|ss test|svanger\w*|havande\w*|grossesses?|enceinte|tig|embaraz\w*|incinta|zwanger\w*|ciąż\w*|ciężarn\w*"
    r"|těhot\w*|tehot\w*|terhes\w*|sarcin\w*|trudno\w*|raskau\w*|raskaana|gebe|gebelik\w*|hamile\w*|беременн\w*|бременн\w*"
    r"|вагітн\w*|εγκυ\w*|κυηση\w*|\w*妊娠\w*|\w*怀孕\w*|\w*懷孕\w*|\w*임신\w*",
    "weight": "body weight|weight|gewicht|korpergewicht|poids|peso|kroppsvikt|vikt|kroppsvekt|vekt|kropsvægt|vægt",
    "height": "body height|height|body length|grosse|korpergrosse|taille|talla|altezza|statura",
    "temperature": r"temp|\w*temperatu\w*|\w*temp|teplota|\w*lämpö|\w*hőmérs\w*|vücut sıcaklığı|ateş|θερμοκρασ\w*"
    "|fieber|fever|fievre|fiebre|febre|febbre|feber|koorts|kuume|goraczka|horecka|лихорадка|температура|体温",
    "oxygen_saturation": "spo2|sao2|oxygen saturation|sauerstoffsattigung",
}
"""How an analyte is written; each alternative is whole words, compared in small letters without accents."""

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
    r"(?:sammel|spontan|morgen|mittelstrahl)?urin(?!syr|ezuur)\w*|harn(?!s(?:a|r|\b)|stoff)\w*|orina"
    r"|csf|liquor|cerebral spinal fluid|cerebrospinal fluid|body fluid|pleural"
    r"|ascitic|peritoneal|synovial|pericardial|stool|stuhl|fa?eces|fa?ecal|saliva|sweat|semen|dialysate|cord blood|amniotic"
    r"|transcutaneous|bone marrow|marrow|donor|a1c|hba1c|glycated|glycosylated|glycohemoglobin|fetal|foetal"
    r"|hemoglobin [afs]\d?|free ha?emoglobin|mch|mchc|mean corpuscular|mean cell|reticulocytes?|retikulozyten"
    r"|mean platelet|platelet mean|mpv|pdw|distribution width|mean volume|morphology|large platelets|platelets large"
    r"|giant platelets|immature platelets?|platelet function|platelet aggregation|\w*esterase|antibod(?:y|ies)|ab|ag"
    r"|\w*volumen|\w*verteilungsbreite|\w*antikorper|leukozytenphosphatase"
    r"|casts?|crystals?|creatinine ratio|albumin globulin|globulin ratio|\w*clearance|excretion"
    r"|lipoprotein lipase|acid phosphatase|glucose 6 phosphate|g6pd|pyrophosphate|apgar"
    r"|birth weight|birthweight|ideal body|percentile|for age|for length|for height|goal|target|history"
)
"""Words that say something else of whatever stands beside them: another specimen, a part, a ratio, a measure of its own."""

_SOMETHING_ELSE: Final = (
    r"chloride|chlorid|chlorure|glucose|glukose|glycemia|blutzucker|urea|harnstoff|bun|uree|bicarbonate|bikarbonat|co2"
    r"|carbon dioxide|ck|creatine kinase|kreatinkinase|troponin|myoglobin|crp|c reactive protein|procalcitonin|protein"
    r"|eiweiss|cholesterol|cholesterin|triglycerides?|triglyceride|hdl|ldl|tsh|thyroid|thyrotropin|t4|t3"
    r"|\w*er[iy]t(?:h?r)o[czks][iy]{1,2}t\w*|red blood cells?|rbc|n?rbc|h(?:a)?ematocrit|hamatokrit|mcv|rdw"
    r"|l[iyí][mn](?:ph|f)o(?:[czks][iy]{1,2}t\w*|s)?|lymphs?|лимфоцит\w*|эритроцит\w*|λεμφοκυτταρ\w*"
    r"|\w*(?:normo|erythro|eritro)blast\w*"
    r"|mono[czks][iy]{1,2}t\w*|monos?|e[oó][sz]ino(?:ph|f)\w*|eos|ba[sz]o(?:ph|f)\w*|basos?|моноцит\w*|эозиноф\w*|базоф\w*"
    "|d dimer|ptt|aptt|thromboplastin|antithrombin"
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


_WITHOUT_A_STROKE: Final = str.maketrans({"ł": "l", "đ": "d", "ı": "i"})
"""Letters that are no others with a mark, and are written as these where the mark cannot be."""


def _letters(words: str) -> str:
    """In small letters without accents."""
    apart = unicodedata.normalize("NFKD", words.casefold()).translate(_WITHOUT_A_STROKE)
    return "".join(letter for letter in apart if not unicodedata.combining(letter) and letter != "\u200b")


def _whole_words(alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w+])(?:{_letters(alternatives)})(?![\w+])")


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
_AMBIGUOUS: Final = _whole_words(
    r"k|k\+|mg|mg\+\+|ca|na|ld|got|tgo|quick|pulse|puls|taille|peso|ap|pal|gb|ne|thr|tig|lip|trc|gra|gran|leu|preg|harns"
)
_TESTED: Final = _whole_words(r"[\w+]*hcg[\w+]*|\w*gonadotro\w*|\w*test\w*")
"""What speaks of a test or its hormone asks about now, whatever stands beside it."""
_FEW_WORDS: Final = 4
"""A name that is also a word of its own, or a letter, names an analyte among so many words at most."""
NEVER_QUALIFIED: Final = frozenset({"hcg"})
"""A pregnancy test counts from urine as from serum (MON-11a)."""


_NO_PREGNANCY_OF_NOW: Final = _whole_words(
    r"history|number of|pregnancies|intent\w*|intend\w*|desire\w*|associated|at birth|diabetes"
)
"""Words that make another question of a pregnancy than whether there is one."""


@lru_cache(maxsize=4096)
def named(words: str) -> frozenset[str]:
    """The analytes that these words may name; empty where they name none that a rule reads."""
    told = _plain(words)
    if len(told.split()) > _FEW_WORDS or _ELSE.search(told):
        told = _AMBIGUOUS.sub(" ", told)
    fitting = {analyte for analyte, pattern in _FITS.items() if pattern.search(told)}
    if _is_qualified(words):
        fitting &= NEVER_QUALIFIED
    if _NO_PREGNANCY_OF_NOW.search(told) and not _TESTED.search(told):
        fitting -= NEVER_QUALIFIED
    return frozenset(one for analyte in fitting for one in _ALIKE.get(analyte, (analyte,)))


@lru_cache(maxsize=4096)
def names_another(words: str) -> bool:
    """Whether these words certainly name something that no rule reads."""
    return not named(words) and (_is_qualified(words) or bool(_ELSE.search(_plain(words))))


def says_pregnant(words: str) -> bool:
    """Whether a value of few words says that she is pregnant, whatever was asked (MON-11a)."""
    told = _plain(words)
    return len(told.split()) <= _FEW_WORDS and "hcg" in named(words) and not _DENIED.search(told)


_DENIED: Final = _whole_words(
    r"not|no|non|none|nicht|kein\w*|nie|nein|ikke|inte|niet|geen|negativ\w*|не|нет|δεν|ei|değil|unknown"
)


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
    r"(?:sammel|spontan|morgen|mittelstrahl)?urin(?!syr|ezuur)\w*|ur|urc|harn(?!s(?:a|r|\b)|stoff)\w*|orina|csf|spinal|liquor"
    r"|fluid|pleural|ascit\w*|stool|stuhl|saliva|marrow|cord|sweat|tissue|aszites|\w*punktat|drainage\w*|\w*sekret|secretions?"
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


def _plain(words: str) -> str:
    """In small letters without accents, the property of a LOINC name and `per 100 leukocytes` taken away."""
    return " ".join(_SPLIT.sub(" ", _PER.sub(" ", _letters(words))).split())
