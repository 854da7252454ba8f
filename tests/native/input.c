#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 256 /* pieces of memory in one round */

static uint64_t state = 1;
static void* owned[MOST];
static size_t owns = 0;

void seed(uint64_t value)
{
  state = value * 2 + 1;
}

/* xorshift64* */
uint32_t below(uint32_t limit)
{
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (uint32_t) ((state * 2685821657736338717u) >> 32) % limit;
}

void* copied(const void* data, size_t size)
{
  void* made = malloc(size ? size : 1);
  if (made == NULL || owns == MOST)
  {
    abort();
  }
  owned[owns++] = made;
  return memcpy(made, data, size);
}

void release(void)
{
  while (owns > 0)
  {
    free(owned[--owns]);
  }
}

static char any(void)
{
  return (char) (1 + below(255));
}

char* bytes(uint32_t most)
{
  char text[6000];
  uint32_t length = below(most + 1);
  for (uint32_t i = 0; i < length; i++)
  {
    text[i] = any();
  }
  text[length] = '\0';
  return copied(text, length + 1);
}

char* joined(const char* const* pieces, uint32_t most)
{
  char text[6000];
  size_t known = 0, length = 0;
  while (pieces[known] != NULL)
  {
    known++;
  }
  for (uint32_t left = below(most + 1); left > 0; left--)
  {
    const char* piece = pieces[below((uint32_t) known)];
    size_t size = strlen(piece);
    if (length + size >= sizeof(text))
    {
      break;
    }
    memcpy(text + length, piece, size);
    length += size;
    if (length > 0 && below(40) == 0)
    {
      text[below((uint32_t) length)] = any();
    }
  }
  if (length > 0 && below(8) == 0)
  {
    length = below((uint32_t) length); /* cut off */
  }
  text[length] = '\0';
  return copied(text, length + 1);
}

void broken(const char* condition, int line)
{
  fprintf(stderr, "broken promise in line %d: %s\n", line, condition);
  exit(4);
}
