"""An HTJ2K codestream, since no encoder for it is among our dependencies; OpenJPH made it of `PIXELS`."""

import base64

import numpy as np

_Y, _X = np.mgrid[0:40, 0:33]
#: Shape (rows, columns), 16 bits unsigned.
PIXELS = ((_X * 7 + _Y * 3) % 256 * 16).astype(np.uint16)
CODESTREAM = base64.b64decode(
    "/0//UQApQAAAAAAhAAAAKAAAAAAAAAAAAAAAIQAAACgAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCI"
    "kJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAiYAAf+TwAArAMEAJeh/3/3zAsM0AMAAE8AA"
    "E8AAEwDbwQMDi3QAVHL6AII0AAT8Aod0AMAAFbAABXQAAVQAwAUvZVln8UI445QAABT1oguqrv0AQQC+lgACABjjyhMA45QAwAAW"
    "nAABb0AAFpgRrQkGZI24pZpSXMSD/BBIQFcAESxQRv2W5CRFOOFKaMt2IQA7gIC8+fTORDG8YFwARWyxFVM6hc7/LArmhvY5OIBX"
    "AMAAF1MAAF3UAAF0gFbgN0yov2P0/3jpDvAK67jfnfnGFTyADfjCYzjLCfz5whkpVuA849oAVn79+v8FXmeOT7Y+98SBOwy0dOOY"
    "zZe11Wo9grUucrL71k5Ys/77hCNBIIgB5YgWxQdPcHlD8Yl0AV7xb8/3r/vxk5/44Ds+/yVvfuUj/P9DP/nAIRaqmh84PMPcAMAA"
    "LvIAAXsMAALsAP7/Yb/913//eN//Yb/++/cP/34f/cN/+Md//Yf/cN//fT/8++//f/9L4CQ/HiuP6PHoxLTjg0eABjBVAf7/e5//"
    "cb//f79//3mf/37n/3/++d//fh//f/37z3//eR/+++/1PM/zPM8LL/7n8/7Hi3ie53n/U8MARGEIHv2coFPOEIHv2EIHssYLQ+gb"
    "jjCF+iEA/jwcKHuhmEYwWgL+/3//f7//ff9//d//fr//fb//f/9//3f/f+//S8WMYB+UzKC8eVzAHlg/HwZQVQH/2Q=="
)
