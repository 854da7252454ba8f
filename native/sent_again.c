/* The queue of instances that were sent to Orthanc again: they may be in the trash, and Python takes them out of it.

   Orthanc calls back for an instance that it has already as well, with the metadata of the first time, and before its sender
   gets an answer. The callback runs on the thread that stores, under a mutex of all plugins: no Python runs there, no call is
   made that waits, and the mutex here is held for some nanoseconds. The queue is open from OrthancPluginInitialize on, so that
   what comes before Python runs is in it as well. */

#include "davfs.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY 131072 /* 6 MB, of which is used what is needed; any more are counted, and nothing is purged for a while */
#define SLOTS 65536
#define FRESH_SECONDS 2 /* between Orthanc's reception of an instance and the callback, if nothing is slow */

static davfs_sent_again* ring = NULL;
static size_t first = 0, count = 0;
static uint64_t lost = 0;
static int closed = 0;
static uint32_t stored[SLOTS]; /* when an instance of this hash was stored last, in monotonic seconds */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;

/* Returns 1 if ReceptionDate, "20240229T120000" in UTC, is of this moment. */
static int is_fresh(const char* received)
{
  struct tm at = {0};
  if (sscanf(received, "%4d%2d%2dT%2d%2d%2d", &at.tm_year, &at.tm_mon, &at.tm_mday, &at.tm_hour, &at.tm_min, &at.tm_sec) != 6)
  {
    return 0;
  }
  at.tm_year -= 1900;
  at.tm_mon--;
  time_t age = time(NULL) - timegm(&at);
  return age >= 0 && age <= FRESH_SECONDS;
}

/* Returns 1 if none of this hash was stored while one could be fresh: then a fresh one is new. Notes that one is stored now. */
static int is_first(const char* id)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  uint32_t* slot = &stored[strtoul(id, NULL, 16) % SLOTS]; /* an identifier begins with eight digits of a SHA-1 */
  uint32_t before = *slot;
  *slot = (uint32_t) now.tv_sec + 1; /* 0: never */
  return before == 0 || *slot - before > FRESH_SECONDS + 1;
}

static void add(const char* id)
{
  if (ring == NULL || count == CAPACITY)
  {
    lost++;
    return;
  }
  davfs_sent_again* place = &ring[(first + count++) % CAPACITY];
  snprintf(place->instance, sizeof(place->instance), "%s", id);
}

static OrthancPluginErrorCode on_stored(const OrthancPluginDicomInstance* instance, const char* id)
{
  if (id == NULL)
  {
    return OrthancPluginErrorCode_Success;
  }
  int fresh = is_fresh(davfs_instance_metadata(instance, "ReceptionDate"));
  int import = davfs_is_import(); /* it takes its image out of the trash itself, before it is acknowledged */
  pthread_mutex_lock(&mutex);
  int new = is_first(id) && fresh;
  if (!new && !import)
  {
    add(id);
    pthread_cond_signal(&arrived);
  }
  pthread_mutex_unlock(&mutex);
  return OrthancPluginErrorCode_Success;
}

void davfs_register_sent_again(void)
{
  pthread_mutex_lock(&mutex);
  if (ring == NULL) /* a reset of Orthanc initializes the plugin again */
  {
    ring = calloc(CAPACITY, sizeof(*ring));
  }
  closed = 0;
  pthread_mutex_unlock(&mutex);
  OrthancPluginRegisterOnStoredInstanceCallback(davfs_context, on_stored);
}

void davfs_close_sent_again(void)
{
  pthread_mutex_lock(&mutex);
  closed = 1;
  pthread_cond_broadcast(&arrived);
  pthread_mutex_unlock(&mutex);
}

int davfs_take_sent_again(davfs_sent_again* taken, int most, int milliseconds)
{
  struct timespec until = davfs_after(milliseconds);
  int number = 0;
  pthread_mutex_lock(&mutex);
  while (milliseconds > 0 && count == 0 && lost == 0 && !closed &&
         pthread_cond_timedwait(&arrived, &mutex, &until) != ETIMEDOUT)
  {
  }
  for (; count > 0 && number < most; count--)
  {
    taken[number++] = ring[first];
    first = (first + 1) % CAPACITY;
  }
  pthread_mutex_unlock(&mutex);
  return number;
}

uint64_t davfs_lost_sent_again(void)
{
  pthread_mutex_lock(&mutex);
  uint64_t number = lost;
  lost = 0;
  pthread_mutex_unlock(&mutex);
  return number;
}
