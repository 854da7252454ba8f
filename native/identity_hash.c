/* Orthanc's identifier of a study, which is a SHA-1 (FIPS 180-4 §6.1; https://orthanc.uclouvain.be/book/faq/orthanc-ids.html). */

#include "davfs.h"

#include <string.h>

#define BLOCK 64

typedef struct
{
  uint32_t state[5];
  uint8_t block[BLOCK];
  size_t used;
  uint64_t length; /* bytes */
} sha1;

static uint32_t rotated(uint32_t value, int bits)
{
  return value << bits | value >> (32 - bits);
}

static void expand(const uint8_t* block, uint32_t* words)
{
  for (int i = 0; i < 16; i++)
  {
    const uint8_t* p = block + 4 * i;
    words[i] = (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
  }
  for (int i = 16; i < 80; i++)
  {
    words[i] = rotated(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  }
}

static uint32_t mixed(int round, uint32_t b, uint32_t c, uint32_t d)
{
  switch (round / 20)
  {
    case 0:
      return ((b & c) | (~b & d)) + 0x5a827999;
    case 1:
      return (b ^ c ^ d) + 0x6ed9eba1;
    case 2:
      return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    default:
      return (b ^ c ^ d) + 0xca62c1d6;
  }
}

static void add_block(sha1* self)
{
  uint32_t words[80], v[5];
  expand(self->block, words);
  memcpy(v, self->state, sizeof(v));
  for (int i = 0; i < 80; i++)
  {
    uint32_t next = rotated(v[0], 5) + mixed(i, v[1], v[2], v[3]) + v[4] + words[i];
    v[4] = v[3];
    v[3] = v[2];
    v[2] = rotated(v[1], 30);
    v[1] = v[0];
    v[0] = next;
  }
  for (int i = 0; i < 5; i++)
  {
    self->state[i] += v[i];
  }
  self->used = 0;
}

static void add_byte(sha1* self, uint8_t byte)
{
  self->block[self->used++] = byte;
  if (self->used == BLOCK)
  {
    add_block(self);
  }
}

static void add_text(sha1* self, const char* text)
{
  for (; *text != '\0'; text++)
  {
    add_byte(self, (uint8_t) *text);
    self->length++;
  }
}

void davfs_hash_study(const char* patient, const char* study, uint8_t id[DAVFS_STUDY])
{
  sha1 self = {.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
  add_text(&self, patient);
  add_text(&self, "|");
  add_text(&self, study);
  uint64_t bits = self.length * 8;
  add_byte(&self, 0x80);
  while (self.used != BLOCK - 8)
  {
    add_byte(&self, 0);
  }
  for (int shift = 56; shift >= 0; shift -= 8)
  {
    add_byte(&self, (uint8_t) (bits >> shift));
  }
  for (int i = 0; i < DAVFS_STUDY; i++)
  {
    id[i] = (uint8_t) (self.state[i / 4] >> (24 - i % 4 * 8));
  }
}

int davfs_read_hash(const char* text, uint8_t id[DAVFS_STUDY])
{
  size_t digits = 0;
  memset(id, 0, DAVFS_STUDY);
  for (; *text != '\0' && digits < 2 * DAVFS_STUDY; text++)
  {
    char letter = (char) (*text | 0x20);
    int digit = *text >= '0' && *text <= '9' ? *text - '0' : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
    if (digit >= 0)
    {
      id[digits / 2] = (uint8_t) (id[digits / 2] << 4 | digit);
      digits++;
    }
  }
  return digits == 2 * DAVFS_STUDY ? 0 : -1;
}
