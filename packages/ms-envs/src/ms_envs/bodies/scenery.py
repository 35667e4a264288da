"""What surrounds a body in pictures: floor, sky and light."""

from __future__ import annotations

import mujoco


def dress(spec: mujoco.MjSpec) -> None:
    """Give the floor a light checker, the sky a gradient and the scene one lamp; physics is untouched.

    Args:
        spec: Specification with a geom named ``"floor"``.
    """
    for light in list(spec.lights):
        spec.delete(light)
    for texture in list(spec.textures):
        if texture.type == mujoco.mjtTexture.mjTEXTURE_SKYBOX:
            spec.delete(texture)
    spec.worldbody.add_light(
        name="lamp",
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=[0, 0, 6],
        dir=[-0.3, 0.35, -1],
        diffuse=[0.55, 0.55, 0.55],
        specular=[0.1, 0.1, 0.1],
        castshadow=False,
    )
    checker = spec.add_texture(
        name="floor_checker",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        mark=mujoco.mjtMark.mjMARK_EDGE,
        rgb1=[0.86, 0.87, 0.89],
        rgb2=[0.80, 0.81, 0.84],
        markrgb=[0.70, 0.71, 0.74],
        width=256,
        height=256,
    )
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.97, 0.98, 1.0],
        rgb2=[0.80, 0.85, 0.92],
        width=128,
        height=128,
    )
    material = spec.add_material(name="floor_checker", texuniform=True, texrepeat=[1, 1], reflectance=0.0)
    textures = list(material.textures)
    textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = checker.name
    material.textures = textures
    floor = spec.geom("floor")
    floor.material, floor.rgba, floor.group = material.name, [1, 1, 1, 1], 0
    visual = spec.visual
    visual.headlight.ambient, visual.headlight.diffuse = [0.35, 0.35, 0.35], [0.35, 0.35, 0.35]
    visual.headlight.specular = [0.05, 0.05, 0.05]
    visual.quality.shadowsize, visual.quality.offsamples = 2048, 4
    visual.rgba.haze = [0.95, 0.96, 0.98, 1]
