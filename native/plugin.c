/* The four entry points of the plugin, and its start. Name and version answer before OrthancPluginInitialize runs, and
   collections can be registered during OrthancPluginInitialize only, when it is too early for Python (interpreter.c). */

#include "davfs.h"

#include <stdio.h>

#define OLDEST_ORTHANC 1, 10, 1 /* the first that has OrthancPluginRegisterWebDavCollection() */

OrthancPluginContext* davfs_context = NULL;

static char python[1024];
static int started = 0;

/* Copies Davfs.`key` of the configuration, or the default where it is not set. */
static int find_setting(const char* key, const char* otherwise, char* value, size_t size)
{
  char* configuration = OrthancPluginGetConfiguration(davfs_context);
  int found = configuration == NULL ? -1 : davfs_json_string(configuration, "Davfs", key, value, size);
  OrthancPluginFreeString(davfs_context, configuration);
  if (found == 0)
  {
    found = snprintf(value, size, "%s", otherwise) < (int) size ? 1 : -1;
  }
  return found == 1 && value[0] == '/' && value[1] != '\0' ? 0 : -1;
}

static int32_t refuse(const char* reason)
{
  char line[1400];
  snprintf(line, sizeof(line), "davfs: the drive does not start: %s", reason);
  OrthancPluginLogError(davfs_context, line);
  return -1;
}

ORTHANC_PLUGINS_API int32_t OrthancPluginInitialize(OrthancPluginContext* context)
{
  char outer[200], inner[220], reason[256];

  davfs_context = context;
  if (OrthancPluginCheckVersionAdvanced(context, OLDEST_ORTHANC) == 0)
  {
    snprintf(reason, sizeof(reason), "this is Orthanc %s, and WebDAV plugins need Orthanc 1.10.1 or newer",
             context->orthancVersion);
    return refuse(reason);
  }
  OrthancPluginSetDescription(context, "Orthanc as a network drive: a configurable WebDAV view of the archive.");
  if (find_setting("Python", DAVFS_PYTHON, python, sizeof(python)) != 0)
  {
    return refuse("Davfs.Python must be the absolute path of a virtual environment's bin/python3");
  }
  if (find_setting("Uri", "/davfs", outer, sizeof(outer)) != 0)
  {
    return refuse("Davfs.Uri must be a path such as /davfs, of less than 200 characters");
  }
  snprintf(inner, sizeof(inner), "%s/drive", outer); /* davfs.doors.collection.door.MOUNT */
  davfs_watch_changes();
  if (davfs_build_door(outer, inner) != 0)
  {
    return refuse("Orthanc refuses Davfs.Uri: does another plugin use it?");
  }
  return 0;
}

int davfs_start(void)
{
  char reason[1280];
  if (davfs_start_python(python, reason, sizeof(reason)) != 0)
  {
    return refuse(reason);
  }
  started = 1;
  davfs_open_door();
  return 0;
}

ORTHANC_PLUGINS_API void OrthancPluginFinalize(void)
{
  davfs_close_door(3000);
  davfs_close_changes();
  if (started)
  {
    davfs_stop_python();
    started = 0;
  }
}

ORTHANC_PLUGINS_API const char* OrthancPluginGetName(void)
{
  return "davfs";
}

ORTHANC_PLUGINS_API const char* OrthancPluginGetVersion(void)
{
  return DAVFS_VERSION;
}
