// Exact numbers: whole numbers, fractions, and sums of products of letters. No DOM in here.
//
// A value is one of three: a whole number of JavaScript (as long as it is exact), a fraction
// {n, d} of BigInts in lowest terms, or a Poly. Every function takes any of them and gives the
// simplest that holds the result, so that sums of whole numbers stay as fast as they can be.
"use strict";
const Arithmetic = (() => {
  const abs = (a) => (a < 0n ? -a : a);
  const gcd = (a, b) => { while (b) [a, b] = [b, a % b]; return abs(a); };

  function fraction(n, d) {
    if (d < 0n) [n, d] = [-n, -d];
    const common = gcd(n, d) || 1n;
    [n, d] = [n / common, d / common];
    const whole = Number(n);
    return d === 1n && Number.isSafeInteger(whole) ? whole : { n, d };
  }
  const isWhole = (v) => typeof v === "number";
  const parts = (v) => (isWhole(v) ? { n: BigInt(v), d: 1n } : v);

  // ---- letters -------------------------------------------------------------------------------

  // x2 comes before x10, and x₂ before x₁₀: a name is cut into texts and whole numbers, as
  // ops/polynomial.py does.
  const lowered = (name) => name.replace(/[₀-₉]/g, (digit) => String("₀₁₂₃₄₅₆₇₈₉".indexOf(digit)));
  const natural = (name) => lowered(name).split(/(\d+)/).map((part, i) => (i % 2 ? Number(part) : part));
  function compareLists(a, b, compare) {
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      const order = compare(a[i], b[i]);
      if (order) return order;
    }
    return a.length - b.length;
  }
  const plain = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const compareNames = (a, b) => compareLists(natural(a), natural(b), plain) || plain(a, b);
  const compareMonomials = (a, b) =>
    (a.length === 0) - (b.length === 0) || compareLists(a, b, compareNames);

  // A sum: from the names of a product (sorted) to the number before it.
  class Poly {
    constructor(terms) { this.terms = terms; }
    static of(value) {
      if (value instanceof Poly) return value;
      return new Poly(isZero(value) ? new Map() : new Map([["", { names: [], number: value }]]));
    }
    static collect(list) {
      const terms = new Map();
      for (const { names, number } of list) {
        const key = names.join("\u0001");
        const sum = terms.has(key) ? add(terms.get(key).number, number) : number;
        if (isZero(sum)) terms.delete(key);
        else terms.set(key, { names, number: sum });
      }
      return new Poly(terms);
    }
    sorted() {
      return [...this.terms.values()].sort((a, b) => compareMonomials(a.names, b.names));
    }
  }
  const letter = (name) => new Poly(new Map([[name, { names: [name], number: 1 }]]));
  const isZero = (v) => v === 0 || (v instanceof Poly && v.terms.size === 0);
  const hasLetters = (v) => v instanceof Poly && [...v.terms.keys()].some((key) => key !== "");

  // ---- sums, products, order -----------------------------------------------------------------

  function add(a, b) {
    if (isWhole(a) && isWhole(b) && Number.isSafeInteger(a + b)) return a + b;
    if (a instanceof Poly || b instanceof Poly) {
      return Poly.collect([...Poly.of(a).terms.values(), ...Poly.of(b).terms.values()]);
    }
    const p = parts(a), q = parts(b);
    return fraction(p.n * q.d + q.n * p.d, p.d * q.d);
  }
  function mul(a, b) {
    if (isWhole(a) && isWhole(b) && Number.isSafeInteger(a * b)) return a * b || 0; // no -0
    if (a instanceof Poly || b instanceof Poly) {
      const products = [];
      for (const left of Poly.of(a).terms.values()) {
        for (const right of Poly.of(b).terms.values()) {
          const names = [...left.names, ...right.names].sort(compareNames);
          products.push({ names, number: mul(left.number, right.number) });
        }
      }
      return Poly.collect(products);
    }
    const p = parts(a), q = parts(b);
    return fraction(p.n * q.n, p.d * q.d);
  }
  const over = (a, whole) => mul(a, fraction(1n, BigInt(whole)));
  const sum = (values) => values.reduce(add, 0);

  // The largest of several values; of letters nobody knows, so it stays written as max(a, b).
  class Largest { constructor(values) { this.values = values; } }
  function largest(values) {
    if (values.some((v) => v instanceof Poly)) {
      const texts = new Map(values.map((v) => [show(v), v]));
      return texts.size === 1 ? values[0] : new Largest([...texts.values()]);
    }
    return values.reduce((a, b) => {
      const p = parts(a), q = parts(b);
      return p.n * q.d >= q.n * p.d ? a : b;
    });
  }

  // ---- texts ---------------------------------------------------------------------------------

  const DECIMAL = "[+-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][+-]?\\d+)?";
  const NUMBER = new RegExp(`^(${DECIMAL})(?:/(${DECIMAL}))?$`);
  const NAME = "(?![\\p{Nd}²³¹¼-¾⁰-₉⅐-↉])[\\p{L}\\p{N}_][\\p{L}\\p{N}_]*(?:\\[[^\\[\\]]+\\])*['′″]*";
  const ENTRY = new RegExp(`^([+-]?)([0-9./]*)([*·]?)(${NAME})(?:/([0-9]+))?$`, "u");
  const VULGAR = /(^|[^\p{L}\p{N}_./])([¼-¾⅐-⅞])(?![\p{Nd}.])/gu; // one sign for a fraction: ½
  const LONGEST = 24;

  function decimal(text) {
    const [digits, power = "0"] = text.toLowerCase().split("e");
    const [whole, part = ""] = digits.split(".");
    const exponent = Number(power) - part.length;
    if (Math.abs(exponent) > 60) throw new Error(`${text} is out of the range that fits a cell`);
    const n = BigInt((whole + part).replace(/^\+/, ""));
    return exponent < 0 ? fraction(n, 10n ** BigInt(-exponent)) : fraction(n * 10n ** BigInt(exponent), 1n);
  }

  // A number (-1, .5, 1e-3, 1/9), a name (a, x1, x[0], a'), or both (2b, a/2).
  function parse(typed) {
    const text = typed.trim().replaceAll("−", "-").replace(VULGAR, (_, before, sign) => before + sign.normalize("NFKC").replace("\u2044", "/"));
    if (!text) throw new Error("an empty cell; type a number, a fraction or a letter");
    if (text.length > LONGEST) throw new Error(`${text.slice(0, 12)}… is too long for a cell`);
    const number = NUMBER.exec(text);
    if (number) {
      const above = decimal(number[1]), below = decimal(number[2] ?? "1");
      if (below === 0) throw new Error(`${text} divides by zero`);
      const p = parts(above), q = parts(below);
      return fraction(p.n * q.d, p.d * q.n);
    }
    const entry = ENTRY.exec(text);
    const digits = entry && entry[2] && !entry[3] && entry[4][0] === "_"; // 2_a would be a number in Python
    if (!entry || digits || /^[+-]?(nan|inf|infinity)$/i.test(text)) {
      throw new Error(`${text} is neither a number (2, 1/3, 0.5) nor a letter (a, x1, 2b)`);
    }
    const [, sign, before, , name, below = "1"] = entry;
    if (Number(below) === 0) throw new Error(`${text} divides by zero`);
    return over(mul(letter(name.replace(/\s/g, "")), parse(sign + (before || "1"))), below);
  }

  // Where somebody typed a fraction all stay fractions; else decimals where they are short, a
  // fraction where they are not, or what fits.
  let fractional = false;
  const writeFractions = (on) => { fractional = on; };
  function showFraction({ n, d }) {
    const sign = n < 0n ? "-" : "";
    for (let digits = 1; digits <= 4 && !fractional; digits++) {
      const scale = 10n ** BigInt(digits);
      if ((abs(n) * scale) % d === 0n) {
        const text = String((abs(n) * scale) / d).padStart(digits + 1, "0");
        return `${sign}${text.slice(0, -digits)}.${text.slice(-digits)}`;
      }
    }
    if (d < 10000n && abs(n) < 10n ** 9n) return `${n}/${d}`;
    return String(Number((Number(n) / Number(d)).toPrecision(5)));
  }
  // A product with its number, not negative, before it: 2ab, w_1·x_1/2.
  function showTerm(names, { n, d }) {
    const size = n === 1n && names.length ? "" : String(n);
    const product = names.join(names.some((name) => name.length > 1) ? "·" : "");
    return size + (size && /^([eE]\d|_)/.test(product) ? "·" : "") + product + (d === 1n ? "" : `/${d}`);
  }
  function showPoly(poly) {
    const terms = poly.sorted().map(({ names, number }) => ({ names, ...parts(number) }));
    const below = terms.length ? terms[0].d : 1n;
    if (terms.length > 1 && below !== 1n && terms.every((term) => term.d === below)) return `(${showPoly(mul(poly, fraction(below, 1n)))})/${below}`;
    const texts = terms.map(({ names, n, d }) => showTerm(names, { n: abs(n), d }));
    const before = (text, next) => (/^\d+[eE]$/.test(text) && /^\d/.test(next) ? `${text.slice(0, -1)}·${text.slice(-1)}` : text); // 2·e-3, since 2e-3 is a number
    return terms.map(({ n }, i) => (n < 0n ? "-" : i ? "+" : "") + before(texts[i], texts[i + 1])).join("") || "0";
  }
  function show(v) {
    if (v === null || v === undefined) return "";
    if (isWhole(v)) return String(v);
    if (v instanceof Largest) return `max(${v.values.map(show).join(", ")})`;
    return v instanceof Poly ? showPoly(v) : showFraction(v);
  }
  const toNumber = (v) => (isWhole(v) ? v : Number(v.n) / Number(v.d));
  // For tests and for links: a fraction as "n/d", so that nothing is rounded.
  function exact(v) {
    return isWhole(v) || v instanceof Poly || v instanceof Largest ? show(v) : `${v.n}/${v.d}`;
  }

  return { add, mul, over, sum, largest, parse, show, writeFractions, exact, toNumber, hasLetters, isZero, Poly, Largest };
})();
