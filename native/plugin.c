/* The four entry points of the plugin, and the change callback, by which Orthanc signals its start and stop.

   Orthanc asks for name and version before it calls OrthancPluginInitialize. Collections can be registered during
   OrthancPluginInitialize only, when it is too early for Python (interpreter.c). */

#include "davfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OLDEST_ORTHANC 1, 10, 1 /* the first that has OrthancPluginRegisterWebDavCollection() */

#define PYTHON_MS 2500   /* for Python's threads to end; Orthanc itself takes one to two seconds more */
#define CALLS_MS 60000   /* for calls into the core that are under way; Orthanc waits for REST requests without a limit */
#define CONTEXT_MS 1000

static char python[1024];
static int started = 0;

/* Copies Davfs.`key`, or the default if it is not set. Returns 0, or -1 if it is no absolute path or does not fit. */
static int find_setting(const char* configuration, const char* key, const char* otherwise, char* value, size_t size)
{
  int found = davfs_json_string(configuration, "Davfs", key, value, size);
  if (found == 0)
  {
    found = snprintf(value, size, "%s", otherwise) < (int) size ? 1 : -1;
  }
  return found == 1 && value[0] == '/' ? 0 : -1;
}

static int32_t refuse(const char* reason)
{
  char line[1400];
  snprintf(line, sizeof(line), "davfs: the drive does not start: %s", reason);
  OrthancPluginLogError(davfs_context, line);
  return -1;
}

static void end_as_failed(void)
{
  fflush(NULL);
  _exit(EXIT_FAILURE);
}

/* Stops Orthanc in order, with an exit code that makes a service start it again. An error from OrthancStarted would do so
   too, but Orthanc crashes over it from 1.12.11 on: the exception passes StartHttpServer() in main.cpp, whose listener of
   the log is destroyed by it, and called with the next line of the log. Returns 0, or -1 if that is not possible. */
static int stop_orthanc(void)
{
  OrthancPluginMemoryBuffer response;
  if (OrthancPluginRestApiPost(davfs_context, &response, "/tools/shutdown", "", 0) != OrthancPluginErrorCode_Success)
  {
    return -1;
  }
  OrthancPluginFreeMemoryBuffer(davfs_context, &response);
  return atexit(end_as_failed) == 0 ? 0 : -1;
}

/* Starts Python and opens the callbacks. If that fails, the log says why, and Orthanc stops. Returns 0, or -1 if only an
   error of the change callback can stop it. */
static int start(void)
{
  char reason[1280];
  davfs_open_core();
  if (davfs_start_python(python, reason, sizeof(reason)) != 0)
  {
    davfs_close_core(CALLS_MS);
    refuse(reason);
    return stop_orthanc();
  }
  started = 1;
  davfs_open_callbacks();
  return 0;
}

/* Closes the callbacks, stops Python's threads, and waits for calls into the core that are under way. When it returns,
   nothing of this plugin uses the core any more. */
static void stop(void)
{
  if (!started)
  {
    return;
  }
  started = 0;
  davfs_close_callbacks();
  davfs_close_changes();
  if (!davfs_stop_python(PYTHON_MS))
  {
    davfs_log(DAVFS_ERROR, "davfs: Python does not answer, and is left behind");
  }
  if (!davfs_close_core(CALLS_MS))
  {
    davfs_log(DAVFS_ERROR, "davfs: a call into Orthanc does not end, and is left behind");
  }
}

/* Orthanc calls it on its main thread for its start and stop, and on the CHANGES thread for all else. */
static OrthancPluginErrorCode on_change(OrthancPluginChangeType kind, OrthancPluginResourceType level, const char* id)
{
  if (kind == OrthancPluginChangeType_OrthancStopped)
  {
    stop();
    return OrthancPluginErrorCode_Success;
  }
  if (kind == OrthancPluginChangeType_OrthancStarted && start() != 0)
  {
    return OrthancPluginErrorCode_Plugin; /* stops Orthanc */
  }
  davfs_add_change(kind, id);
  return OrthancPluginErrorCode_Success;
}

static int32_t initialize(const char* configuration, const char* path)
{
  char outer[256], inner[272], reason[1280];
  if (find_setting(configuration, "Python", DAVFS_PYTHON, python, sizeof(python)) != 0)
  {
    return refuse("Davfs.Python must be the absolute path of a virtual environment's bin/python3, in quotes");
  }
  if (davfs_check_configuration(python, configuration, path, reason, sizeof(reason)) != 0)
  {
    return refuse(reason);
  }
  if (find_setting(configuration, "Uri", "/davfs", outer, sizeof(outer)) != 0)
  {
    return refuse("Davfs.Uri must be a path such as /davfs");
  }
  snprintf(inner, sizeof(inner), "%s/drive", outer); /* davfs.doors.collection.collection.MOUNT */
  davfs_open_changes();
  if (davfs_json_true(configuration, "Davfs", "Quarantine", "Identity"))
  {
    davfs_register_quarantine();
  }
  OrthancPluginRegisterOnChangeCallback(davfs_context, on_change);
  davfs_register_arrivals();
  davfs_register_sent_again();
  if (davfs_register_callbacks(outer, inner) != 0)
  {
    return refuse("Orthanc refuses Davfs.Uri: does another plugin use it?");
  }
  return 0;
}

ORTHANC_PLUGINS_API int32_t OrthancPluginInitialize(OrthancPluginContext* context)
{
  davfs_open_context(context);
  if (OrthancPluginCheckVersionAdvanced(context, OLDEST_ORTHANC) == 0)
  {
    char reason[256];
    snprintf(reason, sizeof(reason), "this is Orthanc %s, and WebDAV plugins need Orthanc 1.10.1 or newer",
             context->orthancVersion);
    return refuse(reason);
  }
  OrthancPluginSetDescription(context, "Orthanc as a network drive: a configurable WebDAV view of the archive.");

  char* configuration = OrthancPluginGetConfiguration(context);
  char* path = OrthancPluginGetConfigurationPath(context);
  int32_t failed = initialize(configuration ? configuration : "{}", path ? path : "");
  OrthancPluginFreeString(context, configuration);
  OrthancPluginFreeString(context, path);
  return failed;
}

ORTHANC_PLUGINS_API void OrthancPluginFinalize(void)
{
  stop(); /* OrthancStopped never comes if Orthanc failed to start */
  davfs_close_context(CONTEXT_MS);
}

ORTHANC_PLUGINS_API const char* OrthancPluginGetName(void)
{
  return "davfs";
}

ORTHANC_PLUGINS_API const char* OrthancPluginGetVersion(void)
{
  return DAVFS_VERSION;
}
