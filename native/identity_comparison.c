/* Compares an identity with those that are known under its PatientID (docs/adr/0030-quarantine.md). */

#include "davfs.h"

#include <stdio.h>
#include <string.h>

/* Dates contradict if neither begins with the other: some have a year alone. */
static int dates_contradict(const char* one, const char* other)
{
  size_t length = strlen(one) < strlen(other) ? strlen(one) : strlen(other);
  return strncmp(one, other, length) != 0;
}

/* Returns the bits of the attributes that contradict. */
static int contradictions(const davfs_identity* given, const char* parts, const davfs_known* known)
{
  int sexes = given->sex[0] != '\0' && known->sex[0] != '\0' && strcmp(given->sex, known->sex) != 0;
  return (dates_contradict(given->birth, known->birth) ? DAVFS_BIRTH : 0) | (sexes ? DAVFS_SEX : 0) |
         (davfs_names_contradict(parts, known->parts) ? DAVFS_NAME : 0);
}

/* Returns the bits of the attributes that a known identity has. */
static int attributes(const davfs_known* known)
{
  return (known->birth[0] != '\0' ? DAVFS_BIRTH : 0) | (known->sex[0] != '\0' ? DAVFS_SEX : 0) |
         (known->parts[0] != '\0' ? DAVFS_NAME : 0);
}

/* Each attribute that contradicts one of the known identities has to agree with another one, which contradicts in nothing: one
   that lacks an attribute does not vouch for it. */
int davfs_agrees(davfs_known* first, const davfs_identity* given, const char* parts)
{
  int contradicted = 0, confirmed = 0;
  for (davfs_known* known = first; known != NULL; known = known->next)
  {
    int found = contradictions(given, parts, known);
    known->contradicts = found;
    contradicted |= found;
    confirmed |= found == 0 ? attributes(known) : 0;
  }
  return (contradicted & ~confirmed) == 0;
}

size_t davfs_pack_known(const davfs_known* first, char* out, size_t size)
{
  size_t length = 0;
  for (const davfs_known* known = first; known != NULL; known = known->next)
  {
    int bits = known->contradicts;
    size_t left = size - length, needed = strlen(known->name) + strlen(known->birth) + strlen(known->sex) + 5;
    if (bits != 0 && needed <= left)
    {
      length += (size_t) snprintf(out + length, left, "%s%c%s%c%s%c%d", known->name, 0, known->birth, 0, known->sex, 0, bits);
      length++;
    }
  }
  return length;
}
