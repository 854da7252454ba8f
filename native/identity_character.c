/* Characters of names: UTF-8, what each is compared as, and its script. The rules for characters beyond ASCII come from Python
   (davfs/quarantine/folding.py), which knows Unicode. */

#include "davfs.h"

#include <stdlib.h>
#include <string.h>

static davfs_folding* folding = NULL;
static size_t foldings = 0;

void davfs_set_folding(const davfs_folding* ascending, size_t count)
{
  davfs_folding* copy = folding ? NULL : malloc(count * sizeof(*copy) + 1);
  if (copy != NULL)
  {
    memcpy(copy, ascending, count * sizeof(*copy));
    foldings = count;
    __atomic_store_n(&folding, copy, __ATOMIC_RELEASE); /* a filter may be folding a name */
  }
}

size_t davfs_read_character(const char* text, uint32_t* character)
{
  const unsigned char* p = (const unsigned char*) text;
  static const unsigned char firsts[] = {0, 0, 0xc0, 0xe0, 0xf0};
  size_t size = p[0] < 0xc2 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 1;
  *character = size == 1 ? p[0] : (uint32_t) (p[0] - firsts[size]);
  for (size_t i = 1; i < size; i++)
  {
    if ((p[i] & 0xc0) != 0x80)
    {
      *character = p[0];
      return 1;
    }
    *character = *character << 6 | (p[i] & 0x3f);
  }
  return size;
}

static int compare_foldings(const void* key, const void* entry)
{
  uint32_t wanted = *(const uint32_t*) key, found = ((const davfs_folding*) entry)->character;
  return wanted < found ? -1 : wanted > found;
}

const char* davfs_fold_character(uint32_t character, char* own, size_t size)
{
  if (character < 0x80)
  {
    own[0] = (char) (character | (character >= 'A' && character <= 'Z' ? 0x20 : 0));
    int kept = (own[0] >= 'a' && own[0] <= 'z') || (own[0] >= '0' && own[0] <= '9');
    own[1] = '\0';
    return kept ? own : " ";
  }
  const davfs_folding* known = __atomic_load_n(&folding, __ATOMIC_ACQUIRE);
  const davfs_folding* found = known ? bsearch(&character, known, foldings, sizeof(*known), compare_foldings) : NULL;
  own[size] = '\0';
  return found ? found->folded : own;
}

uint8_t davfs_script(uint32_t character)
{
  static const struct
  {
    uint32_t last;
    uint8_t script; /* for those that have no name here, a number for a range of blocks */
  } blocks[] = {{0x36f, DAVFS_LATIN},   {0x3ff, 2},   {0x52f, 3},     {0x58f, 4},    {0x5ff, 5},
                {0x77f, 6},             {0xdff, 7},   {0xe7f, 8},     {0x10ff, 9},   {0x11ff, DAVFS_HANGUL},
                {0x1dff, 11},           {0x1eff, DAVFS_LATIN},        {0x1fff, 2},   {0x303f, 12},
                {0x30ff, DAVFS_KANA},   {0x33ff, 14}, {0x9fff, DAVFS_IDEOGRAPHS},    {0xabff, 16},
                {0xd7ff, DAVFS_HANGUL}, {0xf8ff, 17}, {0xfaff, DAVFS_IDEOGRAPHS},    {0x1ffff, 18}};
  for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++)
  {
    if (character <= blocks[i].last)
    {
      return blocks[i].script;
    }
  }
  return DAVFS_IDEOGRAPHS;
}
