/* Runs Python for Orthanc's HTTP threads on threads of our own, which have an ordinary stack (docs/adr/0001).

   Each HTTP thread has one such thread of its own. It starts with the first call, and ends with its HTTP thread. */

#include "davfs.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define STACK (8u << 20) /* as Linux gives a thread; only what is used takes memory */

typedef struct
{
  pthread_t thread;
  sem_t called, returned;
  int (*function)(davfs_request*); /* NULL: end */
  davfs_request* request; /* the record of the HTTP thread, always the same one */
  int code;
} python_thread;

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int has_key = 0;

static void wait_for(sem_t* semaphore)
{
  while (sem_wait(semaphore) != 0 && errno == EINTR)
  {
  }
}

static void* serve(void* argument)
{
  python_thread* self = argument;
  prctl(PR_SET_NAME, "davfs-http");
  for (;;)
  {
    wait_for(&self->called);
    if (self->function == NULL)
    {
      return NULL;
    }
    self->code = self->function(self->request);
    sem_post(&self->returned);
  }
}

/* Called by pthread when the HTTP thread ends. */
static void end(void* argument)
{
  python_thread* ended = argument;
  ended->function = NULL;
  sem_post(&ended->called);
  pthread_join(ended->thread, NULL);
  sem_destroy(&ended->called);
  sem_destroy(&ended->returned);
  davfs_clear_request(ended->request);
  free(ended);
}

static void make_key(void)
{
  has_key = pthread_key_create(&key, end) == 0;
}

/* Starts the Python thread of this thread. Returns NULL if there is no memory for one. */
static python_thread* start(davfs_request* request)
{
  python_thread* made = has_key ? calloc(1, sizeof(*made)) : NULL;
  pthread_attr_t attributes;
  if (made == NULL || pthread_attr_init(&attributes) != 0)
  {
    free(made);
    return NULL;
  }
  made->request = request;
  sem_init(&made->called, 0, 0);
  sem_init(&made->returned, 0, 0);
  int failed = pthread_attr_setstacksize(&attributes, STACK) || pthread_create(&made->thread, &attributes, serve, made);
  pthread_attr_destroy(&attributes);
  if (failed)
  {
    free(made);
    return NULL;
  }
  if (pthread_setspecific(key, made) != 0)
  {
    end(made);
    return NULL;
  }
  return made;
}

int davfs_call_on_python_thread(int (*function)(davfs_request*), davfs_request* request)
{
  pthread_once(&once, make_key);
  python_thread* found = has_key ? pthread_getspecific(key) : NULL;
  if (found == NULL && (found = start(request)) == NULL)
  {
    return OrthancPluginErrorCode_DatabaseUnavailable;
  }
  found->function = function;
  sem_post(&found->called);
  wait_for(&found->returned);
  return found->code;
}
