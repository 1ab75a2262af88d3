"""The codes of all diagnostics: `SL` and three digits, never reused or renumbered, with a slug in words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Code:
    id: str
    slug: str
    severity: Severity = Severity.ERROR
    summary: str = ""


def _error(id: str, slug: str, summary: str) -> Code:
    return Code(id, slug, Severity.ERROR, summary)


def _warning(id: str, slug: str, summary: str) -> Code:
    return Code(id, slug, Severity.WARNING, summary)


# SL1xx syntax
MISSING_COMMA = _error("SL101", "missing-comma", "two entries stand side by side without a comma")
MISSING_EQUALS = _error("SL102", "missing-equals", "a definition lacks the `=` between its name and its value")
MISSING_VALUE = _error("SL103", "missing-value", "a definition or an argument has no value after its `=`")
UNCLOSED_BRACKET = _error("SL104", "unclosed-bracket", "a bracket is never closed, or closed by one of another kind")
STRAY_BRACKET = _error("SL105", "stray-bracket", "a closing bracket has no partner")
MISSING_OPERAND = _error("SL106", "missing-operand", "an operator stands without a value on one of its sides")
UNTERMINATED_STRING = _error("SL107", "unterminated-string", "a text has no closing quote")
BAD_CHARACTER = _error("SL108", "bad-character", "a character that has no meaning here")
BAD_ESCAPE = _error("SL109", "bad-escape", "an escape in a text that is not one of the known ones")
UNNAMED_ITEM = _error("SL110", "unnamed-item", "something that is not a definition stands at the top level")
MISSING_HEADER = _error("SL111", "missing-header", "the file does not begin with `steerlang 1`")
FILE_TOO_LARGE = _error("SL112", "file-too-large", "the file is larger than 1 MiB")
NESTING_TOO_DEEP = _error("SL113", "nesting-too-deep", "expressions are nested too deeply")
CHAINED_OPERATOR = _error("SL114", "chained-operator", "comparisons and ranges cannot be chained")
NOT_TEXT = _error("SL115", "not-text", "the file is not UTF-8 text")
BAD_NUMBER = _error("SL116", "bad-number", "a number is not written as numbers are")
UNEXPECTED = _error("SL117", "unexpected-token", "something stands where it cannot stand")
NOT_YAML = _error("SL118", "not-yaml", "a program in the YAML or JSON form is not well-formed, or uses anchors or tags")

# SL2xx names
UNKNOWN_NAME = _error("SL201", "unknown-name", "a name is used that nothing defines")
DUPLICATE_NAME = _error("SL202", "duplicate-name", "two definitions have one name")
UNKNOWN_KIND = _error("SL203", "unknown-kind", "a definition begins with a word that is no kind")
RESERVED_NAME = _error("SL204", "reserved-name", "a definition is named like a reserved word")
DEPENDENCY_CYCLE = _error("SL205", "dependency-cycle", "definitions need each other in a circle")
UNKNOWN_FUNCTION = _error("SL206", "unknown-function", "a call names a function that does not exist")
UNKNOWN_MEMBER = _error("SL207", "unknown-member", "a member is asked of something that has no such member")
DUPLICATE_ARGUMENT = _error("SL208", "duplicate-argument", "an argument is given twice")
UNUSED_DEFINITION = _warning("SL209", "unused-definition", "a definition is used by nothing that runs")

# SL3xx types
OPERATOR_MISMATCH = _error("SL301", "operator-mismatch", "an operator does not fit its operands")
ARGUMENT_TYPE = _error("SL302", "argument-type", "an argument is of another type than the parameter takes")
UNKNOWN_ARGUMENT = _error("SL303", "unknown-argument", "a function has no parameter of this name")
MISSING_ARGUMENT = _error("SL304", "missing-argument", "an argument that is needed is not given")
MUST_BE_NAMED = _error("SL306", "must-be-named", "an argument stands by position that must be named")
NOT_A_MEMBER = _error("SL308", "not-an-option", "a word is not one of those the parameter takes")
NOT_INDEXABLE = _error("SL310", "not-indexable", "something is indexed in a way it cannot be")
KIND_MISMATCH = _error("SL312", "kind-mismatch", "a definition's value is not of the kind it is declared as")
PROVENANCE_MISMATCH = _error("SL313", "provenance-mismatch", "a vector is used on a model or site it was not made for")
UNKNOWN_AXIS = _error("SL314", "unknown-axis", "an axis is selected that the value does not have")

# SL4xx values
OUT_OF_BOUNDS = _error("SL401", "out-of-bounds", "a number is outside the bounds of its parameter")
EMPTY_RANGE = _error("SL402", "empty-range", "a range or list holds nothing")
DESCENDING_RANGE = _error("SL403", "descending-range", "a range ends before it begins")
LAYER_OUT_OF_RANGE = _error("SL411", "layer-out-of-range", "a layer is named that the model does not have")
NEGATIVE_LAYER = _error("SL412", "negative-layer", "layers are counted from 0 and never negative")
GATE_AFTER_ACTION = _error("SL414", "gate-after-action", "a gate reads states that come after those its action acts on")
CONFLICTING_ACTIONS = _error("SL415", "conflicting-actions", "two actions set the same thing at one place")
ROWS_AND_RECIPES = _error("SL416", "rows-and-recipes", "a batch has other rows than it has recipes or scales")
BAD_REGEX = _error("SL421", "bad-regex", "a regular expression is malformed")
BAD_GLOB = _error("SL422", "bad-glob", "a glob pattern is malformed")
PATTERN_EMPTY = _error("SL431", "pattern-matches-nothing", "a pattern matches no parameter")
PATTERN_OVERLAP = _error("SL432", "patterns-overlap", "two patterns claim one tensor")
RANK_NEEDED = _error("SL433", "rank-needed", "a task vector has no exact adapter, and no rank was given to cut it to")
SCALE_OF_FACTORS = _error("SL434", "scale-of-factors", "factors of an adapter are scaled in a way that means nothing")
REPEATED_VECTOR = _warning("SL435", "repeated-vector", "one task vector stands more than once in a composition")
NOT_CONSTANT = _error("SL436", "not-constant", "steering that weights cannot hold is to be written as a checkpoint")
UNKNOWN_POINT = _error("SL441", "unknown-point", "a sweep has no such point")
MISSING_COLUMN = _error("SL451", "missing-column", "a data file has no such column")
BAD_ROW = _error("SL452", "bad-row", "a row of a data file is malformed or empty")
EMPTY_DATA = _error("SL453", "empty-data", "a data file has no rows")
TOO_FEW_ROWS = _error("SL454", "too-few-rows", "a method needs more rows than there are")
UNFIT_DATA = _error("SL455", "unfit-data", "data lacks what a method or a token selector needs")
SELECTS_BY_LABELS = _error("SL461", "selects-by-labels", "an objective without labels may not select by labels")
DATA_USED_TWICE = _warning("SL462", "data-used-twice", "data to learn, to select and to report are not disjoint")
TASK_LEAK = _warning("SL463", "task-leak", "a task vector was fine-tuned on the task that is learned")
OBJECTIVE_DATA = _error("SL464", "objective-data", "an objective lacks data that it needs, or does not use some of it")
UNKNOWN_CLASS = _error("SL456", "unknown-class", "a label is none of the classes")
BAD_IMAGE = _error("SL457", "bad-image", "a file is no image, or one that cannot be read")
NO_LABELS = _error("SL458", "no-labels", "labels are needed, and the data has none")
BAD_CLASSES = _error("SL459", "bad-classes", "a list of classes or of templates cannot be used")

# SL5xx the outside world
FILE_NOT_FOUND = _error("SL501", "file-not-found", "a file or folder does not exist")
OUTSIDE_PROJECT = _error("SL502", "outside-project", "a relative path leaves the folder of the project")
MODEL_NOT_ON_DISK = _error("SL503", "model-not-on-disk", "a model is not on this machine and may not be fetched")
UNREADABLE_FILE = _error("SL504", "unreadable-file", "a file cannot be read as what it should be")
UNREADABLE_MODEL = _error("SL505", "unreadable-model", "a model folder is incomplete, damaged or not understood")
PICKLED_CHECKPOINT = _error("SL506", "pickled-checkpoint", "a checkpoint is stored as a pickle, which can run code")
OUTPUT_EXISTS = _error("SL507", "output-exists", "an output would overwrite something")
REMOTE_CODE = _error("SL508", "remote-code", "a model asks to run code of its own")
NOT_CHECKED = Code("SL509", "not-checked", Severity.NOTE, "something could not be checked because it is not here")
CACHE_UNUSABLE = _error("SL510", "cache-unusable", "the cache folder cannot be written")
DISK_FULL = _error("SL511", "disk-full", "the disk is full")
MISSING_EXTRA = _error("SL512", "missing-extra", "a package that this needs is not installed")
WIDTH_MISMATCH = _error("SL513", "width-mismatch", "two models or vectors have different widths")
WRONG_TASK = _error("SL515", "wrong-task", "a model is used for what it does not do")
UNFIT_TASK = _error("SL516", "unfit-task", "the files of a model do not fit the task it is loaded for")
CLASS_MISMATCH = _error("SL517", "class-mismatch", "the classes of the data are not those of the model")
UNSUPPORTED_ADAPTER = _error("SL518", "unsupported-adapter", "an adapter is something else than a plain LoRA")
OTHER_BASE = Code("SL519", "other-base", Severity.NOTE, "an adapter names another model of the program as its base")
TRUNCATED = Code("SL520", "truncated", Severity.NOTE, "an adapter holds its task vector only in part")
NOT_A_VECTOR = _error("SL523", "not-a-vector-file", "a file holds no steering vector in a form that is understood")
PICKLED_VECTOR = _error("SL524", "pickled-vector", "a vector file is a pickle that asks to run code")
UNIT_UNKNOWN = _error("SL525", "unit-unknown", "a unit needs numbers that a vector does not hold")
IMAGE_TOKENS = _error("SL570", "image-tokens", "the places for an image in a prompt do not fit the image or the model")
LOCK_MISSING = _error("SL540", "lock-missing", "a program has no lock file, and its inputs are to be held against one")
BAD_LOCK = _error("SL541", "bad-lock", "a lock file cannot be read as one")
INPUT_CHANGED = _error("SL542", "input-changed", "an input holds something else than what was locked")
REVISION_CHANGED = _error("SL543", "revision-changed", "a model is of another revision than the locked one")
NOT_LOCKED = _error("SL544", "not-locked", "a program uses an input that its lock file does not have")
LOCKED_UNUSED = _error("SL545", "locked-but-unused", "a lock file has an input that its program does not use")
NOT_FORMATTED = _error("SL546", "not-formatted", "a program is not in the standard layout")
NOT_ONE_LAYER = _error("SL560", "not-one-layer", "concepts are made of states of several layers")
TOO_MANY_CONCEPTS = _error("SL561", "too-many-concepts", "more concepts are asked for than states differ")
CAPTURES_DIFFER = _error("SL562", "captures-differ", "two captures, or concepts and states, cannot be compared")
NO_SUCH_CONCEPT = _error("SL563", "no-such-concept", "a concept is named that a dictionary does not have")
OTHER_UNITS = _warning("SL564", "other-units", "a shift of states is added to concepts that are in other units")
EMPTY_CONCEPT = _warning("SL565", "empty-concept", "no sample found in both models belongs to a concept")
NOT_PER_CONCEPT = _error("SL566", "not-comparable", "two metrics have no numbers that go together one by one")
NOT_CONVERGED = _warning("SL567", "not-converged", "a decomposition was stopped before it had converged")
NO_REFERENCES = _error("SL580", "no-references", "a metric needs what the rows of the samples do not have beside them")
NO_SUCH_ENTRY = _error("SL581", "no-such-entry", "a number is asked of a metric by a name that it does not have")
NOT_THE_SAME_ROWS = _error("SL582", "not-the-same-rows", "two results go together row by row, and are of other rows")
BAD_WORD_CLASSES = _error("SL583", "bad-word-classes", "a file holds no classes of words")
NO_CANDIDATE = _error("SL584", "no-candidate", "none of the vectors that were judged may be chosen")
NOTHING_TO_DRAW = _error("SL585", "nothing-to-draw", "a picture is asked for of what the program does not find")

# SL6xx imports, parameters, edition
IMPORT_CYCLE = _error("SL601", "import-cycle", "files import each other in a circle")
EFFECT_IN_IMPORT = _error("SL602", "effect-in-import", "an imported file holds something that runs")
PARAMETER_REQUIRED = _error("SL611", "parameter-required", "a parameter has no default and no value was given")
PARAMETER_UNKNOWN = _error("SL612", "parameter-unknown", "a value was given for a parameter the program does not have")
PARAMETER_VALUE = _error("SL613", "parameter-value", "a value given for a parameter does not fit it")
UNKNOWN_EDITION = _error("SL621", "unknown-edition", "the edition of the language is not known to this version")
USAGE = _error("SL631", "usage", "the command line is not understood")

# SL7xx lints
CENTRED_PCA = _warning("SL711", "centred-pca", "centred PCA removes the mean difference")
LARGE_SCALE = _warning("SL712", "large-scale", "a scale is so large that the model is likely to break")
SHORT_DIRECTION = _warning("SL713", "short-direction", "a direction is short beside the states it was read from")
FLOAT_EQUALITY = _warning("SL714", "float-equality", "an expectation compares measured numbers for equality")
NO_CONTEXT_EFFECT = _warning("SL715", "no-context-effect", "a model does a task no better after examples of it")
MIXED_TOKENS = _warning("SL716", "mixed-tokens", "two sides of a direction were read at different tokens")
CONSTANT_GATE = _warning("SL720", "constant-gate", "a gate compares a number with one that it can never cross")
SCHEDULE_ON_PROMPT = _warning("SL721", "schedule-on-prompt", "a schedule over generated tokens, on the prompt alone")
UNDONE_ACTION = _warning("SL722", "undone-action", "what an action does is undone by a later one at the same place")
IDLE_GATE = _warning("SL723", "idle-gate", "a gate was open on none of the prompts, or on all of them")
FORMAT_LOSS = _warning("SL725", "format-loss", "a file format cannot hold all that a vector is")
UNKNOWN_ORIGIN = Code("SL726", "unknown-origin", Severity.NOTE, "a vector file does not say whose it is")

# SL8xx while running
OUT_OF_MEMORY = _error("SL801", "out-of-memory", "memory ran out")
NON_FINITE = _error("SL802", "non-finite", "NaN or infinite values appeared")
EXPECTATION_FAILED = _error("SL803", "expectation-failed", "an expectation does not hold")
INTERRUPTED = _error("SL804", "interrupted", "the run was interrupted")
UNSUPPORTED_MODEL = _error("SL805", "unsupported-model", "the structure of a model is not understood")
RUN_FAILED = _error("SL806", "run-failed", "a step of the run failed")
TOKEN_NOT_FOUND = _error("SL807", "token-not-found", "a token selector matches nothing in the data")
DIVERGED = _error("SL808", "diverged", "a loss is no finite number while learning")
UNMAPPED_TENSOR = _error("SL809", "unmapped-tensor", "a tensor with a coefficient has no parameter in the model")
FOREIGN_STATE = _error("SL810", "foreign-state", "a saved state belongs to another run of learning")
ZERO_DIRECTION = _error("SL811", "zero-direction", "a direction has no length, so it points nowhere")
NOT_RECORDED = _error("SL814", "not-recorded", "a vector lacks a number that an action or a gate needs of it")
NOT_IN_WEIGHTS = _error("SL817", "not-in-weights", "no weights of this architecture do exactly what the steering does")
BAKED_DIFFERS = _error("SL818", "baked-differs", "a baked checkpoint does not compute what the steered model computes")
INCOMPLETE_REPORT = _warning("SL840", "incomplete-report", "a page lacks what is not stored")

# SL9xx
INTERNAL = _error("SL900", "internal-error", "a bug in steerlang")


def all_codes() -> dict[str, Code]:
    """Every code by its id, in order."""
    found = {c.id: c for c in globals().values() if isinstance(c, Code)}
    return dict(sorted(found.items()))
