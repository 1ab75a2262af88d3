// Words, numbers and texts of steerlang, as the terminals of grammar/steerlang.lark have them. A word is read whole
// before it is looked up, a number may not border on a letter, and escapes must be known ones: none of this can be said
// by regular expressions without looking ahead. Keeps no state.

#include "tree_sitter/parser.h"

#include <string.h>

enum Token { HEADER_WORD, IDENTIFIER, AND, OR, NOT, TRUE, FALSE, NONE, INTEGER, FLOAT, QUANTITY, STRING, RAW, TEXT };

static const struct { const char *word; enum Token token; } WORDS[] = {
  {"and", AND}, {"or", OR}, {"not", NOT}, {"true", TRUE}, {"false", FALSE}, {"none", NONE},
};
static const char *const UNITS[] = {"KiB", "MiB", "GiB", "TiB", "KB", "MB", "GB", "ms", "s", "min", "h"};

#define LONGEST 16  // no word that is looked up is longer

static bool is_digit(int32_t c) { return c >= '0' && c <= '9'; }
static bool is_letter(int32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_hex(int32_t c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
static bool is_break(TSLexer *lexer) { return lexer->eof(lexer) || lexer->lookahead == '\r' || lexer->lookahead == '\n'; }
static void next(TSLexer *lexer) { lexer->advance(lexer, false); }

static bool found(TSLexer *lexer, enum Token token) {
  lexer->mark_end(lexer);
  lexer->result_symbol = token;
  return true;
}

// Reads a word to its end; the first characters of it are copied.
static void read_word(TSLexer *lexer, char *word) {
  unsigned length = 0;
  while (is_letter(lexer->lookahead) || is_digit(lexer->lookahead)) {
    if (length < LONGEST) word[length++] = (char)lexer->lookahead;
    else word[0] = '\0';
    next(lexer);
  }
  word[length < LONGEST ? length : 0] = '\0';
}

static bool read_raw(TSLexer *lexer) {
  next(lexer);  // the opening quote
  if (lexer->lookahead == '"') {
    next(lexer);
    return lexer->lookahead == '"' ? false : found(lexer, RAW);
  }
  while (lexer->lookahead != '"') {
    if (is_break(lexer)) return false;
    next(lexer);
  }
  next(lexer);
  return found(lexer, RAW);
}

static bool scan_word(TSLexer *lexer, const bool *valid) {
  char word[LONGEST + 1] = "";
  if (lexer->lookahead == 'r') {
    next(lexer);
    if (lexer->lookahead == '"') return read_raw(lexer);
    read_word(lexer, word);  // no word that is looked up begins with `r`
    return found(lexer, IDENTIFIER);
  }
  read_word(lexer, word);
  if (valid[HEADER_WORD] && strcmp(word, "steerlang") == 0) return found(lexer, HEADER_WORD);
  for (unsigned i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
    if (strcmp(word, WORDS[i].word) == 0) return found(lexer, WORDS[i].token);
  }
  return found(lexer, IDENTIFIER);
}

// Digits, with single `_` between them; false where there is none.
static bool read_digits(TSLexer *lexer) {
  if (!is_digit(lexer->lookahead)) return false;
  for (;;) {
    while (is_digit(lexer->lookahead)) next(lexer);
    if (lexer->lookahead != '_') return true;
    next(lexer);
    if (!is_digit(lexer->lookahead)) return false;
  }
}

// A number ends before no letter, and before no dot with a digit behind it.
static bool ends_number(TSLexer *lexer, enum Token token) {
  if (is_letter(lexer->lookahead) || is_digit(lexer->lookahead)) return false;
  found(lexer, token);
  if (lexer->lookahead != '.') return true;
  next(lexer);
  return !is_digit(lexer->lookahead);
}

static bool read_unit(TSLexer *lexer) {
  char unit[LONGEST + 1] = "";
  read_word(lexer, unit);
  for (unsigned i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
    if (strcmp(unit, UNITS[i]) == 0) return found(lexer, QUANTITY);
  }
  return false;
}

static bool read_exponent(TSLexer *lexer) {
  next(lexer);  // the `e`
  if (lexer->lookahead == '+' || lexer->lookahead == '-') next(lexer);
  if (!is_digit(lexer->lookahead)) return false;
  while (is_digit(lexer->lookahead)) next(lexer);
  return ends_number(lexer, FLOAT);
}

static bool scan_number(TSLexer *lexer) {
  if (!read_digits(lexer)) return false;
  enum Token token = INTEGER;
  if (lexer->lookahead == '.') {
    found(lexer, INTEGER);  // ends here where a range or a member follows
    next(lexer);
    if (!is_digit(lexer->lookahead)) return true;
    if (!read_digits(lexer)) return false;
    token = FLOAT;
  }
  if (lexer->lookahead == '%') {
    next(lexer);
    return found(lexer, QUANTITY);
  }
  if (lexer->lookahead == 'e' || lexer->lookahead == 'E') return read_exponent(lexer);
  if (is_letter(lexer->lookahead)) return read_unit(lexer);
  return ends_number(lexer, token);
}

// An escape, from behind its backslash: \n \t \" \\ \u{…}.
static bool read_escape(TSLexer *lexer) {
  int32_t c = lexer->lookahead;
  next(lexer);
  if (c == 'n' || c == 't' || c == '"' || c == '\\') return true;
  if (c != 'u' || lexer->lookahead != '{') return false;
  next(lexer);
  unsigned digits = 0;
  uint32_t value = 0;
  for (; is_hex(lexer->lookahead) && digits < 7; digits++) {
    int32_t d = lexer->lookahead;
    value = value * 16 + (uint32_t)(is_digit(d) ? d - '0' : (d | 32) - 'a' + 10);
    next(lexer);
  }
  if (digits == 0 || digits > 6 || lexer->lookahead != '}') return false;
  next(lexer);
  return value < 0x110000 && !(value >= 0xD800 && value < 0xE000);
}

static bool scan_block(TSLexer *lexer) {
  for (;;) {
    if (lexer->eof(lexer)) return false;
    if (lexer->lookahead == '\\') {
      next(lexer);
      if (!read_escape(lexer)) return false;
    } else if (lexer->lookahead == '"') {
      unsigned quotes = 0;
      while (lexer->lookahead == '"' && quotes < 3) {
        next(lexer);
        quotes++;
      }
      if (quotes == 3) return found(lexer, TEXT);
    } else {
      next(lexer);
    }
  }
}

static bool scan_text(TSLexer *lexer) {
  next(lexer);
  if (lexer->lookahead == '"') {
    next(lexer);
    if (lexer->lookahead != '"') return found(lexer, STRING);
    next(lexer);
    return scan_block(lexer);
  }
  while (lexer->lookahead != '"') {
    if (is_break(lexer) || lexer->lookahead == '\t') return false;
    bool escaped = lexer->lookahead == '\\';
    next(lexer);
    if (escaped && (is_break(lexer) || !read_escape(lexer))) return false;
  }
  next(lexer);
  return found(lexer, STRING);
}

// White space before a token; false at a carriage return without a line feed.
static bool skip_space(TSLexer *lexer) {
  for (;;) {
    int32_t c = lexer->lookahead;
    if (c == '\r') {
      lexer->advance(lexer, true);
      if (lexer->lookahead != '\n') return false;
    } else if (c != ' ' && c != '\t' && c != '\f' && c != '\n') {
      return true;
    }
    lexer->advance(lexer, true);
  }
}

void *tree_sitter_steer_external_scanner_create(void) { return NULL; }
void tree_sitter_steer_external_scanner_destroy(void *payload) {}
unsigned tree_sitter_steer_external_scanner_serialize(void *payload, char *buffer) { return 0; }
void tree_sitter_steer_external_scanner_deserialize(void *payload, const char *buffer, unsigned length) {}

bool tree_sitter_steer_external_scanner_scan(void *payload, TSLexer *lexer, const bool *valid) {
  if (!skip_space(lexer) || lexer->eof(lexer)) return false;
  if (is_letter(lexer->lookahead)) return scan_word(lexer, valid);
  if (is_digit(lexer->lookahead)) return scan_number(lexer);
  return lexer->lookahead == '"' ? scan_text(lexer) : false;
}
