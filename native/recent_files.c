/* The cache of the files that were listed or read most recently, from which a GET is answered without Python.

   A path leads to the same instance until the catalog changes (docs/adr/0003): Python adds what it found, and clears the cache
   whenever anything changes. The instance's bytes come from Orthanc each time; if it has none, Python looks again. What another
   program has put into the trash is in Orthanc still, and its event comes late or never: so where there is a trash, Orthanc's log
   of changes must not have grown since Python looked; that takes a tenth of the time. Elsewhere it is read each second. */

#include "davfs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY 16384 /* files, each in the one place given by its path's hash */
#define SEED 14695981039346656037u

typedef struct
{
  uint64_t generation;
  char* path; /* segments joined by '/' */
  char id[48];
  char date[16];
} recent_file;

static recent_file files[CAPACITY];
static uint64_t generation = 1;
static uint64_t log_end = 0; /* number of the last change in Orthanc's log, when it was read last */
static time_t log_read = 0;  /* second in which that was */
static int has_trash = 1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* Returns 1 if the joined path is that of the request. */
static int is_path(const char* joined, const davfs_request* request)
{
  for (uint32_t i = 0; i < request->segments; i++)
  {
    size_t length = strlen(request->path[i]);
    if (strncmp(joined, request->path[i], length) != 0 || joined[length] != (i + 1 < request->segments ? '/' : '\0'))
    {
      return 0;
    }
    joined += length + 1;
  }
  return request->segments > 0;
}

/* FNV-1a */
static uint64_t hash(uint64_t seed, const char* text)
{
  for (; *text != '\0'; text++)
  {
    seed = (seed ^ (unsigned char) *text) * 1099511628211u;
  }
  return seed;
}

static recent_file* place(const davfs_request* request)
{
  uint64_t hashed = SEED;
  for (uint32_t i = 0; i < request->segments; i++)
  {
    hashed = hash(i == 0 ? hashed : hash(hashed, "/"), request->path[i]);
  }
  return &files[hashed % CAPACITY];
}

uint64_t davfs_recent_generation(void)
{
  pthread_mutex_lock(&mutex);
  uint64_t now = generation;
  pthread_mutex_unlock(&mutex);
  return now;
}

void davfs_clear_recent(void)
{
  pthread_mutex_lock(&mutex);
  generation++;
  pthread_mutex_unlock(&mutex);
}

/* Reads the number of the last change in Orthanc's log. Returns 1, or 0 if Orthanc does not tell. */
static int read_log_end(uint64_t* last)
{
  OrthancPluginMemoryBuffer response;
  char text[2048];
  if (davfs_get(&response, "/changes?last") != 0)
  {
    return 0;
  }
  size_t size = response.size < sizeof(text) ? response.size : 0;
  if (size > 0)
  {
    memcpy(text, response.data, size);
  }
  text[size] = '\0';
  davfs_free(&response);
  const char* found = strstr(text, "\"Last\"");
  found = found == NULL ? NULL : strpbrk(found, "0123456789");
  *last = found == NULL ? 0 : strtoull(found, NULL, 10);
  return found != NULL;
}

static time_t seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

void davfs_set_trash(int there_is_one)
{
  pthread_mutex_lock(&mutex);
  has_trash = there_is_one;
  pthread_mutex_unlock(&mutex);
}

static int is_log_due(void)
{
  pthread_mutex_lock(&mutex);
  int due = has_trash || log_read != seconds();
  pthread_mutex_unlock(&mutex);
  return due;
}

void davfs_follow_log(void)
{
  uint64_t last = 0;
  time_t began = seconds();
  int known = read_log_end(&last);
  pthread_mutex_lock(&mutex);
  log_read = began;
  if (!known || last != log_end)
  {
    log_end = last;
    generation++;
  }
  pthread_mutex_unlock(&mutex);
}

static void add(recent_file* file, const char* folder, const char* name, const char* id, const char* date)
{
  size_t size = strlen(folder) + strlen(name) + 1;
  char* path = malloc(size);
  if (path != NULL)
  {
    snprintf(path, size, "%s%s", folder, name);
    free(file->path);
    file->path = path;
    file->generation = generation;
    snprintf(file->id, sizeof(file->id), "%s", id);
    snprintf(file->date, sizeof(file->date), "%s", date);
  }
}

void davfs_add_recent(uint64_t found_in, const char* folder, const char* packed, size_t size)
{
  const char* end = packed + size;
  uint64_t seed = hash(SEED, folder);
  pthread_mutex_lock(&mutex);
  while (found_in == generation && packed < end)
  {
    const char* name = packed;
    const char* id = name + strlen(name) + 1;
    const char* date = id + strlen(id) + 1;
    add(&files[hash(seed, name) % CAPACITY], folder, name, id, date);
    packed = date + strlen(date) + 1;
  }
  pthread_mutex_unlock(&mutex);
}

static int find(const davfs_request* request, char* id, char* date)
{
  recent_file* file = place(request);
  pthread_mutex_lock(&mutex);
  int found = file->generation == generation && file->path != NULL && is_path(file->path, request);
  if (found)
  {
    memcpy(id, file->id, sizeof(file->id));
    memcpy(date, file->date, sizeof(file->date));
  }
  pthread_mutex_unlock(&mutex);
  return found;
}

int davfs_send_recent(const davfs_request* request)
{
  char id[sizeof(files->id)], date[sizeof(files->date)];
  OrthancPluginMemoryBuffer file;
  if (!find(request, id, date))
  {
    return DAVFS_NOT_RECENT;
  }
  if (is_log_due())
  {
    davfs_follow_log();
  }
  if (!find(request, id, date) || davfs_get_file(&file, id) != 0)
  {
    return DAVFS_NOT_RECENT;
  }
  int code = davfs_send_file(request, file.data, file.size, "application/dicom", date);
  if (code == OrthancPluginErrorCode_Success)
  {
    davfs_add_read(request, id, file.size);
  }
  davfs_free(&file);
  return code;
}
