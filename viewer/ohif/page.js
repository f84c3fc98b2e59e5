// Runs in OHIF's page after window.config is set; `node` holds what the server knows (site, notice, title).

// The research-use notice stands in the header of every OHIF page, beside the way back to the dashboard.
window.config.whiteLabeling = {
  createLogoComponentFn: function (React) {
    const line = (id, text, style) => React.createElement('span', { id, style }, text);
    return React.createElement(
      'a',
      {
        href: '/',
        title: 'Back to the studies of this node',
        style: {
          display: 'flex', flexDirection: 'column', lineHeight: 1.15, padding: '0 8px',
          color: '#fff', textDecoration: 'none', whiteSpace: 'nowrap',
        },
      },
      line('node-site', node.site, { fontSize: '14px', fontWeight: 600 }),
      line('research-use', node.notice, { fontSize: '12px', fontWeight: 700, color: '#ffd166' })
    );
  },
};

window.config.httpErrorHandler = function (error) {
  console.warn('DICOMweb answered ' + (error && error.status));
};

document.title = node.title;

// A segmentation or measurement whose source images are purged opens to a black viewport: say why.
(function sayWhatIsPurged() {
  let told = new Set(); // what is on screen and has been explained

  function lacksSource(set) {
    if (set.isOverlayDisplaySet) return !set.referencedDisplaySetInstanceUID;
    const measured = set.Modality === 'SR' && set.measurements;
    return Boolean(measured && measured.length && measured.every((one) => !one.displaySetInstanceUID));
  }

  function look(services) {
    const shown = new Set();
    for (const viewport of services.viewportGridService.getState().viewports.values()) {
      for (const uid of viewport.displaySetInstanceUIDs || []) {
        const set = services.displaySetService.getDisplaySetByUID(uid);
        const key = viewport.viewportId + uid;
        if (!set || !lacksSource(set)) continue;
        shown.add(key);
        if (told.has(key)) continue;
        services.uiNotificationService.show({
          title: 'Source images purged',
          message: 'This object is drawn on images that the node has deleted after delivery, so there is '
            + 'nothing to draw it on here. Open the heatmap or the report, or see it in the archive that '
            + 'the results were sent to.',
          type: 'warning',
          duration: 12000,
        });
      }
    }
    told = shown;
  }

  function start() {
    const services = window.services;
    if (!services || !services.viewportGridService || !services.uiNotificationService) {
      setTimeout(start, 500);
      return;
    }
    // A source series may be listed later than the object that refers to it: wait a little.
    const later = () => setTimeout(() => look(services), 2000);
    const grid = services.viewportGridService;
    grid.subscribe(grid.EVENTS.GRID_STATE_CHANGED, later);
    later();
  }
  start();
})();
