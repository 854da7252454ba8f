/* Calls into Orthanc's core, none of which is made any more once Orthanc has stopped.

   The core destroys what a call works with soon after OrthancStopped, and does not wait for plugins' threads: one that is
   still inside a call, or begins one, ends the process with SIGABRT. So each call passes a gate, that is closed there; what
   only needs the plugin's context, such as the log, passes another one, that is closed when the plugin is finalized. */

#include "guarded.hh"

#include <atomic>
#include <signal.h>
#include <time.h>

#define TICK_NS 1000000L

/* Each caller that enters is counted before looking whether the gate is open, so that nobody is inside, or will be,
   once it was closed and nobody was counted. */
struct gate
{
  std::atomic<int> open;
  std::atomic<int> inside;
};

static gate calls, context;

static int enter(gate* each)
{
  each->inside.fetch_add(1);
  if (!each->open)
  {
    each->inside.fetch_sub(1);
    return 0;
  }
  return 1;
}

static void leave(gate* each)
{
  each->inside.fetch_sub(1);
}

/* Closes a gate, and waits for those inside. Returns 1, or 0 where some are still inside after so many milliseconds. */
static int shut(gate* each, int milliseconds)
{
  struct timespec tick = {0, TICK_NS};
  each->open = 0;
  for (; each->inside > 0 && milliseconds > 0; milliseconds--)
  {
    nanosleep(&tick, NULL);
  }
  return each->inside == 0;
}

void davfs_open_context(void)
{
  context.open = 1;
}

int davfs_close_context(int milliseconds)
{
  return shut(&context, milliseconds);
}

/* Whether Orthanc has begun to leave. It says so to plugins only when its Lua engine has seen each stored and deleted
   instance, and that waits until nothing was stored for 100 ms: an import would keep it from stopping. But Orthanc catches
   SIGTERM exactly while it serves (SystemToolbox::ServerBarrier), also where it is stopped or reset by REST. */
static std::atomic<int> serving;

int davfs_is_leaving(void)
{
  struct sigaction now;
  sigaction(SIGTERM, NULL, &now);
  if (now.sa_handler != SIG_DFL)
  {
    serving = 1;
    return 0;
  }
  return serving; /* 0: it has not begun to serve */
}

void davfs_open_core(void)
{
  serving = 0;
  calls.open = 1;
}

void davfs_refuse_calls(void)
{
  calls.open = 0;
}

int davfs_close_core(int milliseconds)
{
  return shut(&calls, milliseconds);
}

/* Makes a call into the core, where the gate is open. */
template <typename Call>
static int pass(Call call)
{
  if (!enter(&calls))
  {
    return DAVFS_STOPPED;
  }
  int code = guarded(call);
  leave(&calls);
  return code;
}

int davfs_get(OrthancPluginMemoryBuffer* answer, const char* path)
{
  return pass([=] { return OrthancPluginRestApiGet(davfs_context, answer, path); });
}

int davfs_post(OrthancPluginMemoryBuffer* answer, const char* path, const void* body, uint32_t size)
{
  if (davfs_is_leaving())
  {
    return DAVFS_STOPPED;
  }
  return pass([=] { return OrthancPluginRestApiPost(davfs_context, answer, path, body, size); });
}

int davfs_delete(const char* path)
{
  if (davfs_is_leaving())
  {
    return DAVFS_STOPPED;
  }
  return pass([=] { return OrthancPluginRestApiDelete(davfs_context, path); });
}

int davfs_get_file(OrthancPluginMemoryBuffer* file, const char* instance)
{
  return pass([=] { return OrthancPluginGetDicomForInstance(davfs_context, file, instance); });
}

static OrthancPluginErrorCode transcode(OrthancPluginMemoryBuffer* file, const void* content, uint32_t size,
                                        const char* syntax)
{
  OrthancPluginDicomInstance* instance = OrthancPluginTranscodeDicomInstance(davfs_context, content, size, syntax);
  if (instance == NULL)
  {
    return OrthancPluginErrorCode_BadFileFormat;
  }
  OrthancPluginErrorCode code = OrthancPluginSerializeDicomInstance(davfs_context, file, instance);
  OrthancPluginFreeDicomInstance(davfs_context, instance);
  return code;
}

int davfs_transcode(OrthancPluginMemoryBuffer* file, const void* content, uint32_t size, const char* syntax)
{
  return pass([=] { return transcode(file, content, size, syntax); });
}

void davfs_free(OrthancPluginMemoryBuffer* buffer)
{
  if (enter(&context)) /* otherwise the process ends */
  {
    OrthancPluginFreeMemoryBuffer(davfs_context, buffer);
    leave(&context);
  }
}

const char* davfs_describe(int code)
{
  const char* text = NULL;
  if (code == DAVFS_STOPPED)
  {
    return "Orthanc is stopping";
  }
  if (enter(&context))
  {
    text = OrthancPluginGetErrorDescription(davfs_context, (OrthancPluginErrorCode) code);
    leave(&context);
  }
  return text;
}

void davfs_log(int severity, const char* line)
{
  if (!enter(&context))
  {
    return;
  }
  switch (severity)
  {
    case DAVFS_ERROR:
      OrthancPluginLogError(davfs_context, line);
      break;
    case DAVFS_WARNING:
      OrthancPluginLogWarning(davfs_context, line);
      break;
    default:
      OrthancPluginLogInfo(davfs_context, line);
  }
  leave(&context);
}
