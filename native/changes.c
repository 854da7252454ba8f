/* The queue between Orthanc's change callback and Python.

   OnChange runs on the core's only CHANGES thread. It must not wait for Python's interpreter lock, which a script of the
   orthanc-python plugin may hold for as long as it likes; so no Python runs here, and none can make a core call here.
   OrthancStarted and OrthancStopped come on the main thread: there the drive is started and stopped. */

#include "davfs.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CAPACITY 65536 /* 5 MB; what comes beyond is told as one DAVFS_CHANGES_LOST */

static davfs_change* ring = NULL;
static size_t first = 0, count = 0;
static int others = 0, lost = 0, closed = 0;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;

static OrthancPluginErrorCode on_change(OrthancPluginChangeType kind, OrthancPluginResourceType level, const char* id)
{
  (void) level;
  if (kind == OrthancPluginChangeType_OrthancStopped)
  {
    davfs_stop();
    return OrthancPluginErrorCode_Success;
  }
  if (kind == OrthancPluginChangeType_OrthancStarted && davfs_start() != 0)
  {
    return OrthancPluginErrorCode_Plugin; /* stops Orthanc */
  }
  int awaited = kind == OrthancPluginChangeType_Deleted || kind == OrthancPluginChangeType_OrthancStarted;
  pthread_mutex_lock(&mutex);
  if (!awaited)
  {
    others = 1; /* found in Orthanc's log of changes, with all that came along: nobody has to wake up for each */
    davfs_forget_recent();
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
  return OrthancPluginErrorCode_Success;
}

void davfs_watch_changes(void)
{
  if (ring == NULL) /* a reset of Orthanc initializes the plugin once more */
  {
    ring = calloc(CAPACITY, sizeof(davfs_change));
  }
  first = count = 0;
  others = lost = closed = 0;
  OrthancPluginRegisterOnChangeCallback(davfs_context, on_change);
}

static int tell(davfs_change* change, int kind)
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
    return tell(change, DAVFS_CHANGES_LOST);
  }
  return 0;
}

int davfs_next_change(davfs_change* change, int milliseconds)
{
  struct timespec until;
  davfs_is_leaving(); /* notes that Orthanc serves */
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += milliseconds / 1000;
  until.tv_nsec += (milliseconds % 1000) * 1000000L;
  until.tv_sec += until.tv_nsec / 1000000000L;
  until.tv_nsec %= 1000000000L;

  pthread_mutex_lock(&mutex);
  int taken = take(change);
  while (!taken && !closed && pthread_cond_timedwait(&arrived, &mutex, &until) != ETIMEDOUT)
  {
    taken = take(change);
  }
  if (!taken && others)
  {
    taken = tell(change, DAVFS_CHANGES_OTHER);
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
