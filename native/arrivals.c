/* Counts the instances that come to Orthanc and not through the drive, by series and origin, for the audit trail.

   Orthanc calls back for each stored instance, on the thread that stores it and under a mutex of all plugins: no Python runs
   there, and no call is made that waits. Python takes the counts, once a minute for each series. */

#include "davfs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY 4096 /* 3 MB; any more instances are counted and lost */
#define CROWDED (CAPACITY / 2)
#define BUCKETS 1024
#define NONE (-1)
#define STALE_SECONDS 60
#define SEEN 4096
#define SEED 14695981039346656037u

typedef struct
{
  davfs_arrival arrival;
  uint64_t hash;
  time_t began; /* monotonic */
  int next;     /* in its bucket */
} slot;

static slot* ring = NULL; /* in the order in which they began */
static int buckets[BUCKETS];
static size_t first = 0, count = 0;
static uint64_t lost = 0;
static atomic_int is_open = 0;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static time_t monotonic(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

static void copy(char* target, size_t size, const char* text)
{
  snprintf(target, size, "%s", text);
}

/* FNV-1a, with the end of each text */
static uint64_t hash(uint64_t seed, const char* text)
{
  do
  {
    seed = (seed ^ (unsigned char) *text) * 1099511628211u;
  } while (*text++ != '\0');
  return seed;
}

/* The instances that were stored lately, each in the one place given by its identifier, with the time at which Orthanc says that
   it has received them. */
typedef struct
{
  char instance[48];
  char received[24];
} sighting;

static sighting seen[SEEN];

/* Returns 1 if ReceptionDate, "20240229T120000" in UTC, was more than a minute ago. */
static int is_past(const char* received)
{
  struct tm at = {0};
  if (sscanf(received, "%4d%2d%2dT%2d%2d%2d", &at.tm_year, &at.tm_mon, &at.tm_mday, &at.tm_hour, &at.tm_min, &at.tm_sec) != 6)
  {
    return 0;
  }
  at.tm_year -= 1900;
  at.tm_mon--;
  return timegm(&at) < time(NULL) - STALE_SECONDS;
}

/* Returns 1 if Orthanc had the instance already, and has called back all the same: its metadata are those of the first time. */
static int is_known(const char* instance, const char* received)
{
  sighting* place = &seen[hash(SEED, instance) % SEEN];
  sighting now;
  copy(now.instance, sizeof(now.instance), instance);
  copy(now.received, sizeof(now.received), received);
  int known = is_past(received) || (strcmp(place->instance, now.instance) == 0 && strcmp(place->received, now.received) == 0);
  *place = now;
  return known;
}

static void describe_origin(davfs_arrival* made, const OrthancPluginDicomInstance* instance)
{
  const davfs_uploader* uploader = davfs_this_uploader();
  made->origin = davfs_instance_origin(instance);
  copy(made->title, sizeof(made->title), davfs_instance_sender(instance));
  copy(made->address, sizeof(made->address), davfs_instance_metadata(instance, "RemoteIP"));
  copy(made->user, sizeof(made->user), davfs_instance_metadata(instance, "HttpUsername"));
  if (made->origin == OrthancPluginInstanceOrigin_Plugin && uploader->is_upload) /* such as the DICOMweb plugin */
  {
    copy(made->address, sizeof(made->address), uploader->address);
    copy(made->user, sizeof(made->user), uploader->user);
    made->is_dicomweb = uploader->is_dicomweb;
  }
}

/* Copies a value; leaves "" if it does not fit, or is no text. */
static int copy_whole(char* target, size_t size, davfs_field value)
{
  if (value.text == NULL || value.length >= size || memchr(value.text, '\0', value.length) != NULL)
  {
    return 0;
  }
  davfs_copy_field(target, size, value);
  return 1;
}

static void describe(davfs_arrival* made, const OrthancPluginDicomInstance* instance, const char* id)
{
  davfs_fields found;
  size_t size;
  const void* file = davfs_instance_data(instance, &size);
  describe_origin(made, instance);
  copy(made->instance, sizeof(made->instance), id ? id : "");
  davfs_scan_file(file, size, &found);
  if (!copy_whole(made->patient, sizeof(made->patient), found.patient) ||
      !copy_whole(made->study, sizeof(made->study), found.study) ||
      !copy_whole(made->series, sizeof(made->series), found.series))
  {
    made->patient[0] = made->study[0] = made->series[0] = '\0';
  }
}

static uint64_t hash_key(const davfs_arrival* made)
{
  uint64_t hashed = hash(SEED + (uint64_t) made->origin, made->series);
  hashed = hash(hash(hash(hashed, made->study), made->patient), made->title);
  hashed = hash(hash(hashed, made->address), made->user);
  return made->series[0] ? hashed : hash(hashed, made->instance);
}

static int same_key(const davfs_arrival* one, const davfs_arrival* other)
{
  return one->origin == other->origin && one->is_dicomweb == other->is_dicomweb && strcmp(one->series, other->series) == 0 &&
         strcmp(one->study, other->study) == 0 && strcmp(one->patient, other->patient) == 0 &&
         strcmp(one->title, other->title) == 0 && strcmp(one->address, other->address) == 0 &&
         strcmp(one->user, other->user) == 0 && (one->series[0] || strcmp(one->instance, other->instance) == 0);
}

static slot* find(const davfs_arrival* made, uint64_t hashed)
{
  for (int at = buckets[hashed % BUCKETS]; at != NONE; at = ring[at].next)
  {
    if (ring[at].hash == hashed && same_key(&ring[at].arrival, made))
    {
      return &ring[at];
    }
  }
  return NULL;
}

static void append(const davfs_arrival* made, uint64_t hashed)
{
  int at = (int) ((first + count++) % CAPACITY);
  ring[at].arrival = *made;
  ring[at].hash = hashed;
  ring[at].began = monotonic();
  ring[at].next = buckets[hashed % BUCKETS];
  buckets[hashed % BUCKETS] = at;
}

static void add(const davfs_arrival* made)
{
  uint64_t hashed = hash_key(made);
  slot* found = find(made, hashed);
  if (found != NULL)
  {
    found->arrival.instances += made->instances;
    found->arrival.time = made->time;
  }
  else if (count < CAPACITY)
  {
    append(made, hashed);
  }
  else
  {
    lost++;
  }
}

static OrthancPluginErrorCode on_stored(const OrthancPluginDicomInstance* instance, const char* id)
{
  if (!atomic_load(&is_open) || davfs_is_import())
  {
    return OrthancPluginErrorCode_Success;
  }
  davfs_arrival made = {.time = (int64_t) time(NULL), .instances = 1};
  const char* received = davfs_instance_metadata(instance, "ReceptionDate");
  describe(&made, instance, id);
  pthread_mutex_lock(&mutex);
  if (atomic_load(&is_open) && !is_known(made.instance, received))
  {
    add(&made);
  }
  pthread_mutex_unlock(&mutex);
  return OrthancPluginErrorCode_Success;
}

void davfs_register_arrivals(void)
{
  OrthancPluginRegisterOnStoredInstanceCallback(davfs_context, on_stored);
}

void davfs_open_arrivals(void)
{
  pthread_mutex_lock(&mutex);
  if (ring == NULL) /* a reset of Orthanc opens it again */
  {
    ring = calloc(CAPACITY, sizeof(*ring));
    memset(buckets, 0xff, sizeof(buckets)); /* NONE */
  }
  atomic_store(&is_open, ring != NULL);
  pthread_mutex_unlock(&mutex);
}

void davfs_close_arrivals(void)
{
  pthread_mutex_lock(&mutex);
  atomic_store(&is_open, 0);
  pthread_mutex_unlock(&mutex);
}

/* Removes the oldest one from its bucket. */
static void unlink_first(void)
{
  int* link = &buckets[ring[first].hash % BUCKETS];
  while (*link != (int) first)
  {
    link = &ring[*link].next;
  }
  *link = ring[first].next;
}

int davfs_take_arrival(davfs_arrival* arrival, int seconds)
{
  pthread_mutex_lock(&mutex);
  int taken = count > 0 && (count > CROWDED || monotonic() - ring[first].began >= seconds);
  if (taken)
  {
    *arrival = ring[first].arrival;
    unlink_first();
    first = (first + 1) % CAPACITY;
    count--;
  }
  pthread_mutex_unlock(&mutex);
  return taken;
}

uint64_t davfs_lost_arrivals(void)
{
  pthread_mutex_lock(&mutex);
  uint64_t number = lost;
  lost = 0;
  pthread_mutex_unlock(&mutex);
  return number;
}
