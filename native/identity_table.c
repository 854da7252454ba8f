/* The identities of the studies in the archive, by PatientID: what the filters compare arriving instances with.

   Python sets the identity of each study that is in the index (davfs/quarantine/). A study that the filters let in is known at
   once, until the index has it: of two people who arrive under a new PatientID, only the first one is let in, however fast
   the second one follows.

   The number of buckets is fixed, for growing would make a filter wait. */

#include "davfs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BUCKETS (1u << 17)
#define MOST 32 /* different identities of a PatientID */

typedef struct patient patient;

typedef struct
{
  davfs_known known; /* the first member */
  patient* owner;
  uint32_t studies; /* that have it */
  char text[];      /* the name, NUL, its parts */
} identity;

struct patient
{
  patient* next; /* in the bucket */
  davfs_known* identities;
  uint32_t count;
  int crowded; /* there were more identities than are kept: this PatientID identifies nobody, and is not checked */
  char id[];
};

enum kind
{
  INDEXED,
  ARRIVED, /* let in, and not yet in the index */
  ACCEPTED /* a further identity of a study, which an administrator has let in */
};

typedef struct study
{
  struct study* next;          /* in the bucket */
  struct study *older, *newer; /* of those that have arrived */
  identity* of;
  uint64_t arrived; /* milliseconds */
  enum kind kind;
  uint8_t id[DAVFS_STUDY];
} study;

static patient** patients = NULL;
static study** studies = NULL;
static study *oldest = NULL, *newest = NULL;
static size_t bytes = 0;
static int complete = 0;
static uint64_t seed = 0;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static uint64_t now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t) time.tv_sec * 1000 + (uint64_t) time.tv_nsec / 1000000;
}

static void* take(size_t size)
{
  void* made = calloc(1, size);
  bytes += made ? size : 0;
  return made;
}

static void give_back(void* object, size_t size)
{
  free(object);
  bytes -= size;
}

/* Returns 1 if there is memory for the table. */
static int is_open(void)
{
  if (patients == NULL || studies == NULL)
  {
    patients = patients ? patients : take(BUCKETS * sizeof(*patients));
    studies = studies ? studies : take(BUCKETS * sizeof(*studies));
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
    {
      seed = now();
    }
  }
  return patients != NULL && studies != NULL;
}

/* FNV-1a, from a random seed: nobody can choose PatientIDs that meet in one bucket. */
static patient** find_patient(const char* id)
{
  uint64_t hash = seed;
  for (const char* p = id; *p != '\0'; p++)
  {
    hash = (hash ^ (unsigned char) *p) * 1099511628211u;
    hash ^= hash >> 29;
  }
  patient** at = &patients[(hash ^ hash >> 32) % BUCKETS];
  while (*at != NULL && strcmp((*at)->id, id) != 0)
  {
    at = &(*at)->next;
  }
  return at;
}

/* Finds a study, or its accepted identity. Any bytes of its identifier make a hash. */
static study** find_study(const uint8_t* id, int accepted)
{
  study** at = &studies[(id[0] | (uint32_t) id[1] << 8 | (uint32_t) id[2] << 16) % BUCKETS];
  while (*at != NULL && (memcmp((*at)->id, id, DAVFS_STUDY) != 0 || ((*at)->kind == ACCEPTED) != accepted))
  {
    at = &(*at)->next;
  }
  return at;
}

static size_t size_of(const identity* one)
{
  const char* end = one->known.parts;
  while (*end != '\0')
  {
    end += strlen(end) + 1;
  }
  return sizeof(*one) + (size_t) (end + 1 - one->text);
}

static void remove_patient(patient* owner)
{
  *find_patient(owner->id) = owner->next;
  give_back(owner, sizeof(*owner) + strlen(owner->id) + 1);
}

/* Removes an identity that no study has, and a patient without any. */
static void remove_unused(identity* one)
{
  patient* owner = one->owner;
  if (one->studies > 0)
  {
    return;
  }
  davfs_known** at = &owner->identities;
  while (*at != &one->known)
  {
    at = &(*at)->next;
  }
  *at = one->known.next;
  give_back(one, size_of(one));
  if (--owner->count == 0)
  {
    remove_patient(owner);
  }
}

static davfs_known* find_same(const patient* owner, const davfs_identity* wanted)
{
  davfs_known* one = owner ? owner->identities : NULL;
  while (one != NULL && (strcmp(one->birth, wanted->birth) != 0 || strcmp(one->sex, wanted->sex) != 0 ||
                         strcmp(one->name, wanted->name) != 0))
  {
    one = one->next;
  }
  return one;
}

static patient* add_patient(const char* id)
{
  patient** at = find_patient(id);
  size_t size = strlen(id) + 1;
  if (*at == NULL && (*at = take(sizeof(patient) + size)) != NULL)
  {
    memcpy((*at)->id, id, size);
  }
  return *at;
}

static identity* make_identity(patient* owner, const davfs_identity* wanted)
{
  char parts[DAVFS_PARTS];
  size_t name = strlen(wanted->name) + 1, size = davfs_fold_name(wanted->name, parts, sizeof(parts));
  identity* one = take(sizeof(*one) + name + size);
  if (one != NULL)
  {
    memcpy(one->known.birth, wanted->birth, sizeof(one->known.birth));
    memcpy(one->known.sex, wanted->sex, sizeof(one->known.sex));
    one->known.name = memcpy(one->text, wanted->name, name);
    one->known.parts = memcpy(one->text + name, parts, size);
    one->known.next = owner->identities;
    one->owner = owner;
    owner->identities = &one->known;
    owner->count++;
  }
  return one;
}

/* Returns the identity of a patient, a new one if there is none like it; NULL if there is no memory. */
static identity* add_identity(const davfs_identity* wanted)
{
  patient* owner = add_patient(wanted->patient);
  identity* one = (identity*) find_same(owner, wanted);
  if (owner == NULL || one != NULL)
  {
    return one;
  }
  if (owner->count >= MOST)
  {
    owner->crowded = 1;
    return (identity*) owner->identities;
  }
  one = make_identity(owner, wanted);
  if (one == NULL && owner->count == 0)
  {
    remove_patient(owner);
  }
  return one;
}

static void end_arrival(study* one)
{
  if (one->kind == ARRIVED)
  {
    *(one->older ? &one->older->newer : &oldest) = one->newer;
    *(one->newer ? &one->newer->older : &newest) = one->older;
    one->older = one->newer = NULL;
    one->kind = INDEXED;
  }
}

static void begin_arrival(study* one)
{
  one->kind = ARRIVED;
  one->arrived = now();
  one->older = newest;
  *(newest ? &newest->newer : &oldest) = one;
  newest = one;
}

static void forget(const uint8_t* id, int accepted)
{
  study** at = find_study(id, accepted);
  study* found = *at;
  if (found != NULL)
  {
    end_arrival(found);
    *at = found->next;
    found->of->studies--;
    remove_unused(found->of);
    give_back(found, sizeof(*found));
  }
}

/* Gives a study an identity; it is counted before the former one is forgotten, which may be the same. Returns NULL if there is no
   memory, and then the table lacks it. */
static study* set(const uint8_t* id, const davfs_identity* wanted, enum kind kind)
{
  identity* of = add_identity(wanted);
  if (of == NULL)
  {
    return NULL;
  }
  of->studies++;
  forget(id, kind == ACCEPTED);
  study* made = take(sizeof(*made));
  if (made == NULL)
  {
    of->studies--;
    remove_unused(of);
    return NULL;
  }
  study** at = find_study(id, kind == ACCEPTED);
  *at = made;
  made->of = of;
  made->kind = kind;
  memcpy(made->id, id, DAVFS_STUDY);
  if (kind == ARRIVED)
  {
    begin_arrival(made);
  }
  return made;
}

void davfs_set_study(const char* text, const char* id, const char* name, const char* birth, const char* sex)
{
  uint8_t identifier[DAVFS_STUDY];
  davfs_identity wanted;
  davfs_make_identity(&wanted, id, name, birth, sex);
  pthread_mutex_lock(&mutex);
  if (davfs_read_hash(text, identifier) == 0 && is_open())
  {
    if (wanted.patient[0] == '\0')
    {
      forget(identifier, 0); /* it identifies nobody */
    }
    else if (set(identifier, &wanted, INDEXED) == NULL)
    {
      complete = 0;
    }
  }
  pthread_mutex_unlock(&mutex);
}

void davfs_forget_study(const char* text)
{
  uint8_t identifier[DAVFS_STUDY];
  pthread_mutex_lock(&mutex);
  if (davfs_read_hash(text, identifier) == 0 && is_open())
  {
    forget(identifier, 0);
    forget(identifier, 1);
  }
  pthread_mutex_unlock(&mutex);
}

void davfs_clear_identities(void)
{
  pthread_mutex_lock(&mutex);
  complete = 0;
  for (uint32_t bucket = 0; is_open() && bucket < BUCKETS; bucket++)
  {
    while (studies[bucket] != NULL)
    {
      forget(studies[bucket]->id, studies[bucket]->kind == ACCEPTED);
    }
  }
  pthread_mutex_unlock(&mutex);
}

void davfs_complete_identities(int value)
{
  pthread_mutex_lock(&mutex);
  complete = value && is_open();
  pthread_mutex_unlock(&mutex);
}

void davfs_settle_identities(int milliseconds)
{
  pthread_mutex_lock(&mutex);
  uint64_t time = now(), age = (uint64_t) milliseconds;
  while (oldest != NULL && oldest->arrived + age <= time)
  {
    forget(oldest->id, 0);
  }
  pthread_mutex_unlock(&mutex);
}

/* Has what was let in known, unless its study is. Returns DAVFS_LET_IN, or DAVFS_NOT_READY if there is no memory. */
static int learn(const davfs_identity* given)
{
  uint8_t id[DAVFS_STUDY];
  davfs_hash_study(given->patient, given->study, id);
  return *find_study(id, 0) != NULL || set(id, given, ARRIVED) != NULL ? DAVFS_LET_IN : DAVFS_NOT_READY;
}

static int judge(const davfs_identity* given, char* known, size_t size, size_t* length)
{
  char parts[DAVFS_PARTS];
  const patient* owner = *find_patient(given->patient);
  if (owner != NULL && owner->crowded)
  {
    return DAVFS_LET_IN;
  }
  if (owner != NULL && find_same(owner, given) == NULL)
  {
    davfs_fold_name(given->name, parts, sizeof(parts));
    if (!davfs_agrees(owner->identities, given, parts))
    {
      *length = davfs_pack_known(owner->identities, known, size);
      return complete ? DAVFS_HELD : DAVFS_NOT_READY;
    }
  }
  return owner != NULL || complete ? learn(given) : DAVFS_NOT_READY;
}

int davfs_judge_identity(const davfs_identity* given, char* known, size_t size, size_t* length)
{
  int verdict = DAVFS_NOT_READY;
  *length = 0;
  if (given->patient[0] == '\0')
  {
    return DAVFS_LET_IN;
  }
  pthread_mutex_lock(&mutex);
  if (is_open())
  {
    verdict = judge(given, known, size, length);
  }
  pthread_mutex_unlock(&mutex);
  return verdict;
}

static int accept(const davfs_identity* given)
{
  uint8_t id[DAVFS_STUDY];
  davfs_hash_study(given->patient, given->study, id);
  const patient* owner = *find_patient(given->patient);
  if ((owner != NULL && owner->crowded) || find_same(owner, given) != NULL || *find_study(id, 0) == NULL)
  {
    return learn(given);
  }
  return set(id, given, ACCEPTED) != NULL ? DAVFS_ACCEPTED : DAVFS_LET_IN;
}

int davfs_accept_identity(const davfs_identity* given)
{
  pthread_mutex_lock(&mutex);
  int verdict = given->patient[0] != '\0' && is_open() ? accept(given) : DAVFS_LET_IN;
  pthread_mutex_unlock(&mutex);
  return verdict == DAVFS_ACCEPTED ? DAVFS_ACCEPTED : DAVFS_LET_IN;
}

void davfs_restore_accepted(const davfs_identity* given)
{
  uint8_t id[DAVFS_STUDY];
  davfs_hash_study(given->patient, given->study, id);
  pthread_mutex_lock(&mutex);
  if (is_open() && *find_study(id, 0) != NULL)
  {
    accept(given);
  }
  pthread_mutex_unlock(&mutex);
}

size_t davfs_identities_size(void)
{
  pthread_mutex_lock(&mutex);
  size_t size = bytes;
  pthread_mutex_unlock(&mutex);
  return size;
}
