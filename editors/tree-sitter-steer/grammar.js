// The tree-sitter grammar of steerlang: grammar/steerlang.lark, rule by rule. Words, numbers and texts are read by
// src/scanner.c, because what they may border on cannot be said without looking ahead. A test holds its acceptance
// against that of the language's own parser. `tree-sitter generate` writes src/parser.c.

const comma1 = (rule) => seq(rule, repeat(seq(',', rule)), optional(','));
const infix = ($, left, operator, right) =>
  seq(field('left', left), field('operator', operator), field('right', right));

module.exports = grammar({
  name: 'steer',

  externals: ($) => [
    $._header_word, $.identifier, $.and, $.or, $.not, $.true, $.false, $.none,
    $.integer, $.float, $.quantity, $.string, $.raw_string, $.text,
  ],

  extras: ($) => [/[ \t\f\n]/, /\r\n/, $.comment],

  rules: {
    program: ($) => seq($.header, repeat($.definition)),
    header: ($) => seq(alias($._header_word, 'steerlang'), field('edition', $.integer)),
    definition: ($) =>
      seq(field('kind', $.kind), field('name', $.identifier), '=', field('value', $._expression)),
    kind: ($) => $.identifier,

    // From the loosest operator to the tightest.
    _expression: ($) => choice($._conjunction, alias($._or, $.binary)),
    _or: ($) => infix($, $._expression, $.or, $._conjunction),
    _conjunction: ($) => choice($._negation, alias($._and, $.binary)),
    _and: ($) => infix($, $._conjunction, $.and, $._negation),
    _negation: ($) => choice($._comparison, alias($._not, $.unary)),
    _not: ($) => seq(field('operator', $.not), field('operand', $._negation)),
    _comparison: ($) => choice($._range, alias($._compare, $.binary)),
    _compare: ($) => infix($, $._range, $.comparison, $._range),
    comparison: () => choice('==', '!=', '<=', '>=', '<', '>'),
    _range: ($) => choice($._sum, $.range),
    range: ($) => seq(field('start', $._sum), choice('..', '..<'), field('end', $._sum)),
    _sum: ($) => choice($._product, alias($._add, $.binary)),
    _add: ($) => infix($, $._sum, choice('+', '-'), $._product),
    _product: ($) => choice($._sign, alias($._multiply, $.binary)),
    _multiply: ($) => infix($, $._product, choice('*', '/'), $._sign),
    _sign: ($) => choice($._postfix, alias($._minus, $.unary)),
    _minus: ($) => seq(field('operator', '-'), field('operand', $._sign)),
    _postfix: ($) => choice($._atom, $.call, $.index, $.member),

    call: ($) => seq(field('function', $._postfix), field('arguments', alias($._called, $.arguments))),
    _called: ($) => seq('(', optional(comma1($._argument)), ')'),
    index: ($) => seq(field('subject', $._postfix), field('arguments', alias($._selected, $.arguments))),
    _selected: ($) => seq('[', comma1($._argument), ']'),
    member: ($) => seq(field('subject', $._postfix), '.', field('name', $.identifier)),

    _argument: ($) => choice($._expression, $.entry),
    entry: ($) => seq(field('name', $.identifier), '=', field('value', $._expression)),

    _atom: ($) =>
      choice(
        $.identifier, $.integer, $.float, $.quantity, $.string, $.raw_string, $.text, $.true, $.false, $.none,
        $.group, $.list, $.record,
      ),
    group: ($) => seq('(', $._expression, ')'),
    list: ($) => seq('[', optional(comma1($._expression)), ']'),
    record: ($) => seq('{', optional(comma1($.entry)), '}'),

    comment: () => /#[^\r\n]*/,
  },
});
