/* The parts of a patient's name (VR PN, PS3.5 §6.2) that are compared to find out if two names can be one person's.

   1. Each group (alphabetic, ideographic, phonetic) is divided into family, given and middle name; prefix and suffix do not count.
   2. Each of these is divided into words, which are folded: no case, no accents, umlauts as their vowels alone.
   3. Words that are in many names (titles, particles) and initials are left out where there are others, and so are words for
      somebody without a name (UNKNOWN^MALE, NEWBORN^GIRL, N.N.).
   4. The words of a component, and those of family and given name, are added joined, too: some systems write no hyphen.

   Letters that a program could not write (M?LLER) can be any.

   Two names contradict if they have parts in a common script, and share none. */

#include "davfs.h"

#include <string.h>

#define WORDS 24       /* of a group */
#define LONGEST 64     /* bytes of a word */
#define MOST_WORDS 8   /* of a group that are compared, and parts of a name: a comparison takes microseconds for any name */
#define MOST_PARTS 16
#define JOINED 120     /* bytes of joined words */
#define UNREADABLE '?'
#define REPLACEMENT 0xfffd
#define DAMAGED 0x80   /* in the script of a part: some of its letters are unreadable */
#define COMPONENTS 5
#define COMPARED 3     /* components: family, given, middle */

typedef struct
{
  char text[LONGEST];
  size_t length;
  uint8_t script;
  uint8_t component;
  uint8_t characters; /* counted to 2 */
  uint8_t is_common, is_nobody, is_describing;
} word;

typedef struct
{
  word words[WORDS];
  size_t count;
} group;

/* Words that do not identify a person, folded. */
static const char* const COMMON[] = {"al", "bin", "binti", "bint", "da", "das", "de", "del", "della", "den", "der", "di", "do",
                                     "dos", "dr", "du", "el", "frau", "herr", "jr", "la", "le", "med", "mme", "mr", "mrs",
                                     "ms", "prof", "san", "sr", "ten", "ter", "van", "vom", "von", "y", "zu", "zum", "zur"};
/* Words for somebody who has no name, or none yet: emergencies and newborns. */
static const char* const NOBODY[] = {
    "anon", "anonym", "anonymised", "anonymized", "anonymous", "baby", "babyboy", "babygirl", "desconhecida", "desconhecido",
    "desconocida", "desconocido", "emergency", "firstname", "inconnu", "inconnue", "lastname", "nachname", "name", "neonate",
    "neugeborene", "neugeborener", "neugeborenes", "newborn", "nieznana", "nieznany", "nn", "nobody", "noname", "none", "notfall",
    "okand", "onbekend", "onbekende", "sconosciuta", "sconosciuto", "trauma", "unbekannt", "unbekannte", "unbekannter",
    "unidentified", "unknown", "unnamed", "vorname", "неизвестная", "неизвестно", "неизвестныи", "不明", "氏名不明"};
/* Words that describe such a person, and are names elsewhere. */
static const char* const DESCRIBING[] = {
    "adult", "bebe", "boy", "child", "donna", "femelle", "female", "feminin", "femenino", "femme", "femmina", "girl", "hombre",
    "homme", "infant", "jongen", "junge", "kind", "knabe", "madchen", "maedchen", "maennlich", "male", "man", "mann", "mannlich",
    "maschio", "masculin", "masculino", "meisje", "mujer", "no", "of", "patient", "person", "twin", "uomo", "vrouw", "weiblich",
    "woman", "женщина", "мужчина"};

#define IS_AMONG(list, text) is_among(list, sizeof(list) / sizeof(*(list)), text)

static uint8_t is_among(const char* const* list, size_t count, const char* text)
{
  for (size_t i = 0; i < count; i++)
  {
    if (strcmp(list[i], text) == 0)
    {
      return 1;
    }
  }
  return 0;
}

static int has_words_apart(uint8_t script)
{
  return script != DAVFS_HANGUL && script != DAVFS_KANA && script != DAVFS_IDEOGRAPHS;
}

/* Writes ä, ae and a as one: umlauts are written in both ways. */
static void join_umlauts(word* one)
{
  size_t length = 0;
  for (size_t i = 0; i < one->length; i++)
  {
    char before = length > 0 ? one->text[length - 1] : '\0', c = one->text[i];
    int second = (c == 'e' && (before == 'a' || before == 'o' || before == 'u')) || (c == 'a' && before == 'a');
    if (!second)
    {
      one->text[length++] = c;
    }
  }
  one->text[length] = '\0';
  one->length = length;
}

static int is_readable(const word* one)
{
  return one->length > 0 && (one->characters > 1 || memchr(one->text, UNREADABLE, one->length) == NULL);
}

static void end_word(group* made, word* one)
{
  if (is_readable(one) && made->count < WORDS)
  {
    one->text[one->length] = '\0';
    char* last = one->text + one->length - 1;
    char end = *last;
    *last = end == UNREADABLE ? '\0' : end; /* UNKNOWN? */
    one->is_common = IS_AMONG(COMMON, one->text);
    one->is_nobody = IS_AMONG(NOBODY, one->text) || strspn(one->text, "x") == strlen(one->text);
    one->is_describing = IS_AMONG(DESCRIBING, one->text) || one->characters < 2 || strpbrk(one->text, "0123456789") != NULL;
    *last = end;
    if (one->script == DAVFS_LATIN)
    {
      join_umlauts(one);
    }
    made->words[made->count++] = *one;
  }
  one->length = 0;
  one->characters = 0;
  one->script = 0;
}

/* Adds what stands for letters that a program could not write, once for several: many write ? for them. */
static void add_unreadable(group* made, word* one)
{
  if (!has_words_apart(one->script) || one->length + 1 >= LONGEST)
  {
    end_word(made, one);
  }
  else if (one->length == 0 || one->text[one->length - 1] != UNREADABLE)
  {
    one->text[one->length++] = UNREADABLE;
  }
}

static void add_character(group* made, word* one, const char* folded)
{
  uint32_t character;
  size_t length = strlen(folded);
  davfs_read_character(folded, &character);
  uint8_t script = davfs_script(character);
  int other = one->script != script && (one->script != 0 || !has_words_apart(script));
  if (one->length > 0 && (other || one->length + length >= LONGEST))
  {
    end_word(made, one);
  }
  memcpy(one->text + one->length, folded, length);
  one->length += length;
  one->script = script;
  one->characters = one->characters < 2 ? (uint8_t) (one->characters + 1) : 2;
}

/* Reads the words of a group, and returns what follows it. */
static const char* read_group(const char* name, group* made)
{
  word one = {.length = 0};
  while (*name != '\0' && *name != '=')
  {
    uint32_t character;
    char own[5] = "";
    size_t size = davfs_read_character(name, &character);
    memcpy(own, name, size);
    const char* folded = davfs_fold_character(character, own, size);
    if (character == UNREADABLE || character == REPLACEMENT)
    {
      add_unreadable(made, &one);
    }
    else if (*folded == ' ')
    {
      end_word(made, &one);
      one.component = (uint8_t) (one.component + (character == '^' && one.component + 1 < COMPONENTS));
    }
    else if (*folded != '\0')
    {
      add_character(made, &one, folded);
    }
    name += size;
  }
  end_word(made, &one);
  return name;
}

static int is_initial(const word* one)
{
  return one->characters < 2 && has_words_apart(one->script);
}

typedef int (*condition)(const word*);

static int is_compared(const word* one)
{
  return one->component < COMPARED;
}

static int is_long(const word* one)
{
  return !is_initial(one);
}

static int is_own(const word* one)
{
  return !one->is_common;
}

static int is_name(const word* one)
{
  return !one->is_nobody && !one->is_describing;
}

/* Returns 1 if a group has a word for somebody without a name, or is N.N. or X^X. */
static int has_nobody(const group* made)
{
  const word* words = made->words;
  int found = made->count == 2 && strcmp(words[0].text, words[1].text) == 0 && strchr("nx", words[0].text[0]) != NULL &&
              words[0].length == 1;
  for (size_t i = 0; i < made->count; i++)
  {
    found |= words[i].is_nobody && words[i].characters > 1;
  }
  return found;
}

/* Keeps the words that meet a condition, if there are any, or if none are to be kept then. */
static void keep(group* made, condition meets, int or_none)
{
  size_t kept = 0;
  for (size_t i = 0; i < made->count; i++)
  {
    kept += (size_t) meets(&made->words[i]);
  }
  if (kept == 0 && !or_none)
  {
    return;
  }
  kept = 0;
  for (size_t i = 0; i < made->count; i++)
  {
    if (meets(&made->words[i]))
    {
      made->words[kept++] = made->words[i];
    }
  }
  made->count = kept;
}

typedef struct
{
  char* bytes;
  size_t size, length, count;
} output;

static void put(output* out, uint8_t script, const char* text, const char* more)
{
  size_t first = strlen(text), second = strlen(more);
  if (out->length + first + second + 4 > out->size || out->count == MOST_PARTS)
  {
    return;
  }
  out->count++;
  int damaged = strchr(text, UNREADABLE) != NULL || strchr(more, UNREADABLE) != NULL;
  out->bytes[out->length++] = (char) (damaged ? script | DAMAGED : script);
  out->bytes[out->length++] = (char) (first + second);
  memcpy(out->bytes + out->length, text, first);
  memcpy(out->bytes + out->length + first, more, second + 1);
  out->length += first + second + 1;
}

/* Joins the words of a component in a script. Returns how many there are. */
static size_t join(const group* made, uint8_t component, uint8_t script, char* text, size_t size)
{
  size_t count = 0, length = 0;
  for (size_t i = 0; i < made->count; i++)
  {
    const word* one = &made->words[i];
    if (one->component == component && one->script == script && length + one->length < size)
    {
      memcpy(text + length, one->text, one->length);
      length += one->length;
      count++;
    }
  }
  text[length] = '\0';
  return count;
}

static void put_joined(output* out, const group* made)
{
  char family[JOINED], given[JOINED];
  uint8_t script = made->count > 0 ? made->words[0].script : 0;
  size_t families = join(made, 0, script, family, sizeof(family)), givens = join(made, 1, script, given, sizeof(given));
  if (families > 1)
  {
    put(out, script, family, "");
  }
  if (givens > 1)
  {
    put(out, script, given, "");
  }
  if (families > 0 && givens > 0)
  {
    put(out, script, family, given);
    put(out, script, given, family);
  }
}

static void put_group(output* out, group* made)
{
  keep(made, is_compared, 1);
  if (has_nobody(made))
  {
    keep(made, is_name, 1);
  }
  group all = *made;
  keep(made, is_long, 0);
  keep(made, is_own, 0);
  for (size_t i = 0; i < made->count && i < MOST_WORDS; i++)
  {
    put(out, made->words[i].script, made->words[i].text, "");
  }
  if (made->count > 0 && is_long(&made->words[0]))
  {
    put_joined(out, &all);
  }
}

size_t davfs_fold_name(const char* name, char* parts, size_t size)
{
  output out = {.bytes = parts, .size = size};
  for (;;)
  {
    group made = {.count = 0};
    name = read_group(name, &made);
    put_group(&out, &made);
    if (*name == '\0')
    {
      break;
    }
    name++;
  }
  parts[out.length++] = '\0';
  return out.length;
}

static int is_initial_part(const char* part)
{
  uint32_t character;
  return davfs_read_character(part + 2, &character) == (unsigned char) part[1];
}

/* An initial, which only a name without words has, is shared with a word that begins with it; in scripts that put no spaces
   between words, one that contains the other is. */
static int is_shared(const char* part, const char* other)
{
  if (part[2] != other[2] && has_words_apart((uint8_t) *part))
  {
    return 0;
  }
  if (!has_words_apart((uint8_t) *part))
  {
    return strstr(part + 2, other + 2) != NULL || strstr(other + 2, part + 2) != NULL;
  }
  if (part[1] == other[1])
  {
    size_t left = (unsigned char) part[1]; /* from the end, where words differ that begin alike */
    while (left > 0 && part[1 + left] == other[1 + left])
    {
      left--;
    }
    return left == 0;
  }
  const char* shorter = (unsigned char) part[1] < (unsigned char) other[1] ? part : other;
  return is_initial_part(shorter) && memcmp(part + 2, other + 2, (unsigned char) shorter[1]) == 0;
}

static inline const char* next_part(const char* part)
{
  return part + 3 + (unsigned char) part[1];
}

/* Returns 1 if a text is as a pattern, in which UNREADABLE stands for any characters, or for a doubt (DOE?). */
static int matches(const char* pattern, const char* text)
{
  const char *wild = NULL, *from = NULL;
  while (*text != '\0')
  {
    if (*pattern == UNREADABLE)
    {
      wild = pattern++;
      from = text;
    }
    else if (*pattern == *text)
    {
      pattern++;
      text++;
    }
    else if (wild != NULL)
    {
      pattern = wild + 1;
      text = ++from;
    }
    else
    {
      return 0;
    }
  }
  return pattern[strspn(pattern, (const char[]) {UNREADABLE, '\0'})] == '\0';
}

/* As `is_shared`, of parts of which one may be damaged, in the same script. */
static int is_shared_damaged(const char* part, const char* other)
{
  return is_shared(part, other) || matches(part + 2, other + 2) || matches(other + 2, part + 2);
}

int davfs_names_contradict(const char* parts, const char* others)
{
  int compared = 0;
  for (const char* part = parts; *part != '\0'; part = next_part(part))
  {
    for (const char* other = others; *other != '\0'; other = next_part(other))
    {
      if (((*part ^ *other) & ~DAMAGED & 0xff) == 0)
      {
        int damaged = (*part | *other) & DAMAGED;
        compared = 1;
        if (damaged ? is_shared_damaged(part, other) : is_shared(part, other))
        {
          return 0;
        }
      }
    }
  }
  return compared;
}
