/* The queue between Orthanc's change callback and Python.

   The change callback runs on the core's only CHANGES thread. It must not wait for Python's interpreter lock, which a script
   of the orthanc-python plugin may hold for as long as it likes; so no Python runs there, and none can call the core. */

#include "davfs.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY 65536 /* 5 MB; any more become one DAVFS_CHANGES_LOST */

static davfs_change* ring = NULL;
static size_t first = 0, count = 0;
static int others = 0, lost = 0, closed = 0;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;

void davfs_add_change(OrthancPluginChangeType kind, const char* id)
{
  int awaited = kind == OrthancPluginChangeType_Deleted || kind == OrthancPluginChangeType_OrthancStarted;
  pthread_mutex_lock(&mutex);
  if (!awaited)
  {
    others = 1; /* Python reads these from Orthanc's log of changes, and need not wake up for each */
    davfs_clear_recent();
  }
  else if (count == CAPACITY || ring == NULL)
  {
    lost = 1;
  }
  else
  {
    davfs_change* change = &ring[(first + count++) % CAPACITY];
    change->kind = (int) kind;
    strncpy(change->id, id ? id : "", sizeof(change->id) - 1);
    change->id[sizeof(change->id) - 1] = '\0';
  }
  if (awaited)
  {
    pthread_cond_signal(&arrived);
  }
  pthread_mutex_unlock(&mutex);
}

void davfs_open_changes(void)
{
  if (ring == NULL) /* a reset of Orthanc initializes the plugin again */
  {
    ring = calloc(CAPACITY, sizeof(davfs_change));
  }
  first = count = 0;
  others = lost = closed = 0;
}

static int set(davfs_change* change, int kind)
{
  memset(change, 0, sizeof(*change));
  change->kind = kind;
  return 1;
}

static int take(davfs_change* change)
{
  if (count > 0)
  {
    *change = ring[first];
    first = (first + 1) % CAPACITY;
    count--;
    return 1;
  }
  if (lost)
  {
    lost = 0;
    return set(change, DAVFS_CHANGES_LOST);
  }
  return 0;
}

int davfs_next_change(davfs_change* change, int milliseconds)
{
  struct timespec until = davfs_after(milliseconds);
  davfs_is_stopping(); /* observes that Orthanc serves */

  pthread_mutex_lock(&mutex);
  int taken = take(change);
  while (!taken && !closed && pthread_cond_timedwait(&arrived, &mutex, &until) != ETIMEDOUT)
  {
    taken = take(change);
  }
  if (!taken && others)
  {
    taken = set(change, DAVFS_CHANGES_OTHER);
    others = 0;
  }
  pthread_mutex_unlock(&mutex);
  return taken;
}

void davfs_close_changes(void)
{
  pthread_mutex_lock(&mutex);
  closed = 1;
  pthread_cond_broadcast(&arrived);
  pthread_mutex_unlock(&mutex);
}
